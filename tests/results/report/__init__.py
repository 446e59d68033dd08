"""Tests of results/report/."""
