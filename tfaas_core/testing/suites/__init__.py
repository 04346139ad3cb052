"""The parts of the contract suites; what people subclass is in the modules of their names above."""
