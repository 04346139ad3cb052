"""Links: messages between two processes, and the files that go with them."""
