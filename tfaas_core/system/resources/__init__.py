"""Resources: what a process may have of the machine, and what it has of it."""
