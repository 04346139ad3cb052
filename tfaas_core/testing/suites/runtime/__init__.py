"""The parts of the contract of Runtime, as tests."""
