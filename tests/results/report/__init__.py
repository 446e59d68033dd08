"""The room tests/results/report."""
