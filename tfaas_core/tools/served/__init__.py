"""What TensorFlow Serving and Triton serve, read where it lies."""
