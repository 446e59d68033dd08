"""The room tests/results/export."""
