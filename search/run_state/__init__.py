"""The room search/run_state."""
