"""The room tests/soak."""
