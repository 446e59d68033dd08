"""The room tests/spaces."""
