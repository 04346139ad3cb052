"""Decoding: what strangers send is taken apart by libraries in C, in confined processes."""
