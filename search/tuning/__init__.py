"""The room search/tuning."""
