"""Values: what every codec needs between a request's values and a model's arrays."""
