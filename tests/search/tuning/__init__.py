"""The room tests/search/tuning."""
