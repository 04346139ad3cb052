"""Models: what is known of a model and its versions."""
