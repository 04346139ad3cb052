"""Texts that clients send, or take: JSON, Base64, names of fields, and what is compressed."""
