"""The room tests/results/run."""
