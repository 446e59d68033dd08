"""The room tests/results."""
