"""Modes: which of its runtime's a model is fastest in."""
