"""Tests that data from others is never run and that secrets stay secret."""
