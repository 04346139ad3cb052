"""Runtimes: from a model file to what can be run."""
