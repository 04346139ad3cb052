"""Accelerators: which models they run faster, found out beside serving."""
