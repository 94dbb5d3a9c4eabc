"""Figures of the book: functions that draw data on an `Axes` or `Figure`, and never load or save.

One module for each subject, one style for all (`spectra_lib.figures.style`).
"""
