"""Models, as the Open Inference Protocol and Triton's extensions tell of them."""
