"""Training: complete samples of a dataset, their values as arrays, and as batches for Aurora."""
