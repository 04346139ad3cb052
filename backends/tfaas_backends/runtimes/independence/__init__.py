"""Proves, from a model's graph alone, that each row of its answer comes of its own row."""
