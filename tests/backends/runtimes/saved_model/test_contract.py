"""The ``saved_model`` runtime does what every runtime does."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
from tfaas_backends.runtimes.saved_model.runtime import SavedModelRuntime
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.saved_model.saved_models import function, save
from tfaas_core.tensors import BatchAxis, Signature, TensorSpec
from tfaas_core.testing.runtimes import ModelSample, RuntimeContract

FLOATS = tf.TensorSpec([None, 2], tf.float32)


def doubling(folder: Path) -> Path:
    return save(folder / "model", function(lambda x: {"y": 2 * x}, x=FLOATS))


def counting(folder: Path) -> Path:
    """Adds up all that it was sent."""
    module = tf.Module()
    module.total = tf.Variable(0.0)
    added = function(lambda x: {"y": x * 0 + module.total.assign_add(tf.reduce_sum(x))}, x=FLOATS)
    return save(folder / "model", added, module)


class TestSavedModelRuntime(RuntimeContract):
    make_runtime = SavedModelRuntime
    samples: ClassVar[list[ModelSample]] = [
        ModelSample(
            doubling,
            Signature(
                (TensorSpec("x", "float32", (None, 2)),),
                (TensorSpec("y", "float32", (None, 2)),),
                BatchAxis.FREE,
                name="serving_default",
            ),
            [np.array([[1, 2], [3, 4]], np.float32)],
            [np.array([[2, 4], [6, 8]], np.float32)],
        ),
        ModelSample(
            counting,
            Signature(
                (TensorSpec("x", "float32", (None, 2)),),
                (TensorSpec("y", "float32", (None, 2)),),
                BatchAxis.FREE,
                name="serving_default",
            ),
            [np.array([[1, 2], [3, 4]], np.float32)],
            [np.full((2, 2), 10, np.float32)],
        ),
    ]
