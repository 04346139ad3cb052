"""What the configuration and the plugins give, and what an HTTP worker gets of its parent."""
