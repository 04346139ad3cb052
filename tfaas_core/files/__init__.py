"""Files: which kinds there are, and how to read those of whom nobody knows."""
