"""The parts of the contract of Guard, as tests."""
