"""The room tests/clusters."""
