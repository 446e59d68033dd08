"""The room tests/support."""
