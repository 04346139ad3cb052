"""TFaaS: TensorFlow as a Service. The core knows the nouns and their order; plugins do the work."""

__version__ = "0.1.0"
