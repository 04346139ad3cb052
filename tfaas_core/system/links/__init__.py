"""Links: messages between two processes, and the file descriptors that go with them."""
