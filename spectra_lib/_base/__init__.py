"""What everything rests on and what knows nothing of spectra: files, hashes, names, texts, the machine."""
