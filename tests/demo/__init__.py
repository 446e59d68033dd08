"""The room tests/demo."""
