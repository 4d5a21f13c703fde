"""Intervals and survival curves: pure functions on small arrays, no engine, no clock."""
