"""Tests of voice datasets: data, measures, sources, split and encoding plan."""
