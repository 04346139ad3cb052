"""Output: what a server and its commands write, and what foreign code writes between."""
