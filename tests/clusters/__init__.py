"""Tests of clusters/."""
