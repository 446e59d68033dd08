"""The room results/export."""
