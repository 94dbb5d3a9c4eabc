"""Training: backends, trainer, checkpoints, sparse convolution."""
