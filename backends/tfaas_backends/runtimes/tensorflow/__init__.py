"""What the runtimes of TensorFlow models share."""
