"""Predict: from a request's body to the bytes of its answer."""
