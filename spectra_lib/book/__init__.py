"""The book: chapters with their parameters, their execution, and rendering."""
