"""The room tests/benchmarks."""
