"""Tests of search/run_state."""
