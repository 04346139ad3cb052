"""A picture, and a model that labels it."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.plugins.codecs.image.images import (
    file,
    picture,
    taking,
)
from tfaas_core.tensors import Array

COLOURS = [[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [1, 2, 3]]]

PNG = file(picture(COLOURS))

LABELS = ("qcd", "higgs", "top")

LABELLED = taking(None, 2, 2, 3, labels=LABELS)


def f32(values: Any) -> Array:
    return np.array(values, np.float32)
