"""Files: which kind one is, where temporary ones go, and reading what may be no file."""
