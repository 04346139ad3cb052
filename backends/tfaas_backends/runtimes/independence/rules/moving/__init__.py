"""Rules of ops that move elements, and compute nothing of them."""
