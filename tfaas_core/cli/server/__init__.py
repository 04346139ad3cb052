"""The commands about a server that is here: its configuration, its plugins, and running it."""
