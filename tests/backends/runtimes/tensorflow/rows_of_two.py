"""What tests of inputs and outputs share: rows of two numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tfaas_core.runtime import Servable

Serve = Callable[..., Servable]

ROWS = np.array([[1, 2], [3, 4]], np.float32)

SPEC = tf.TensorSpec([None, 2], tf.float32)

SKIP = pytest.mark.parametrize("skip", [False, True], ids=["saver", "no saver"])
