"""Tests of search/benches."""
