"""TensorFlow Serving's REST API: its cases, and what they are made of."""
