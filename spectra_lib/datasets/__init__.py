"""Datasets: specification, fingerprints, peaks, rendered spectra, corruption, measured files."""
