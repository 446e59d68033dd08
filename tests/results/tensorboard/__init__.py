"""Tests of results/tensorboard/."""
