"""The commands about models: files of them, and those of a running server."""
