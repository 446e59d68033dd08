"""The room results/media."""
