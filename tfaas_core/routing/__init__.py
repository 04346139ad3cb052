"""Routing: the patterns of paths, and the seam that every request passes."""
