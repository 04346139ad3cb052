"""What the configuration and the plugins give, and what an HTTP worker gets from its parent."""
