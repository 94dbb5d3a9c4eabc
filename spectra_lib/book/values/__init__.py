"""Computed numbers and sentences of the chapters, one module a chapter: typed functions of frozen values."""
