"""For the tests of plugins: a contract suite for each interface, and a fake that passes it."""
