"""Benchmarks, started by hand: they print measurements and ratios, and assert nothing."""
