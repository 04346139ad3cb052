"""The parts of the contract of Engine, as tests."""
