"""The command that tries whether a server speaks the protocols as it should."""
