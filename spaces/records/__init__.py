"""The room spaces/records."""
