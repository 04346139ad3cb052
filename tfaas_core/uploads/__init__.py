"""Uploads: from the bytes of an upload to a stored version."""
