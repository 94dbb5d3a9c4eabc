"""Which runs the book wants, what they cost, doing them, and studies on measured data."""
