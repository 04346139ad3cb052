"""The Open Inference Protocol over HTTP: its cases, and what they are made of."""
