"""The room tests/results/tensorboard."""
