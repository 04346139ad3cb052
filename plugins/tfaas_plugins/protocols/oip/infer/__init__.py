"""Infer requests and their answers: over REST, and what calls share with that."""
