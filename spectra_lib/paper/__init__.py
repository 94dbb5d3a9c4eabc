"""What the paper and its code say: constants and published results."""
