"""LiteRT, formerly TensorFlow Lite, as a second engine for TensorFlow's models."""
