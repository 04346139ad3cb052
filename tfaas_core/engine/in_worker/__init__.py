"""The engine's part in an HTTP worker: a connection to each model."""
