"""The room tests/search/run_state."""
