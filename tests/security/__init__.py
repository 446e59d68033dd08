"""The room tests/security."""
