"""The process that HTTP workers are forked from."""
