"""Tests of results/export/."""
