"""What fork servers import for the runtimes of TensorFlow, which share one. Imports nothing."""

from __future__ import annotations

PRELOAD = (
    "tfaas_backends.runtimes.saved_model.servable",
    "tfaas_backends.runtimes.tensorflow.first_product",
)
"""All that both runtimes need, and then what is better done once than by each model's process."""
