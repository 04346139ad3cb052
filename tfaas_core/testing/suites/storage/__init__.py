"""The parts of the contract of Storage, as tests."""
