"""The room results/tensorboard."""
