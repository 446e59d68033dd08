"""The room tests/search/planning."""
