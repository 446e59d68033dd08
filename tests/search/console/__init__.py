"""Tests of search/console."""
