"""Tests of search/checking."""
