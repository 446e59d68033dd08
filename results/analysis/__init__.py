"""The room results/analysis."""
