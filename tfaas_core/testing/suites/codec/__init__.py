"""The parts of the contract of Codec, as tests."""
