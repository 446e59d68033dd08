"""The room tests/results/analysis."""
