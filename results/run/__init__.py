"""The room results/run."""
