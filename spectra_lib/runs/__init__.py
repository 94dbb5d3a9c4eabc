"""Training runs as values: specification, protocol, record, store and archive; without Keras."""
