"""Tests of search/submit."""
