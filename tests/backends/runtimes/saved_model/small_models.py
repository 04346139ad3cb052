"""SavedModels to load, as small as they can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.saved_model.saved_models import (
    function,
    save,
)

LARGE = 600
"""Rows and columns of a matrix that is too large to become a constant."""


def random(*shape: int) -> Any:
    return np.random.default_rng(3).standard_normal(shape, np.float32)


def weighted(folder: Path, size: int = 3) -> Path:
    """Three variables, of which the signature needs two; the last one is only in the file."""
    module = tf.Module()
    module.weights = tf.Variable(random(size, size))
    module.bias = tf.Variable(1.0)
    module.moments = tf.Variable(tf.fill([size], 7.0))
    spec = tf.TensorSpec([None, size], tf.float32)
    body = function(lambda x: {"y": x @ module.weights + module.bias}, x=spec)
    return save(folder, body, module)
