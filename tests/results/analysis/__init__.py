"""Tests of results/analysis/."""
