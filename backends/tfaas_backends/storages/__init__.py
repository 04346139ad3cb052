"""Storages: where model versions live."""
