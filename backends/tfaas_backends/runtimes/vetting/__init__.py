"""Vetting: whether a model's graph holds nothing but what computes on tensors, found out before
TensorFlow sees it. Imports TensorFlow."""
