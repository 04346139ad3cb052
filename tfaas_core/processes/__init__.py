"""Processes: the parent, and the HTTP workers that it starts."""
