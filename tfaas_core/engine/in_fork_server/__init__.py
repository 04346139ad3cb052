"""The engine's part in a fork server, which model processes are forked from."""
