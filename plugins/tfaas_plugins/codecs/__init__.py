"""Codecs: one package for each input format, and what they share."""
