"""Tests of search/cluster."""
