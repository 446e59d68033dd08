"""Tests of search/proposals."""
