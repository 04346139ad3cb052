"""Tools: what the commands do beside serving."""
