"""Built-in plugins that touch bytes and HTTP: codecs and routes."""
