"""The engine's part in a model process: loading, warming, running."""
