"""Infer requests and their answers, over REST; the calls of gRPC use parts of it."""
