"""Tests of results/run/."""
