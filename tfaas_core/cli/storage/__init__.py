"""The commands about a storage, which need no server."""
