"""Tests of search/tuning."""
