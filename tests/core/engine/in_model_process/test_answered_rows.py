"""How many rows share a run is known of outputs of which some are strings, too."""

from __future__ import annotations

import numpy as np

from tfaas_core.engine.in_model_process.answered_rows import RUN_BYTES, AnsweredRows
from tfaas_core.tensors import TensorSpec

WIDTH = 1 << 20
ROW_BYTES = 4 * WIDTH
LABEL = TensorSpec("label", "string", (None,))
TOLD, UNTOLD = TensorSpec("y", "float32", (None, WIDTH)), TensorSpec("y", "float32", (None, None))


def test_numbers_beside_strings_are_known_from_the_start() -> None:
    assert AnsweredRows([LABEL, TOLD]).most == RUN_BYTES // ROW_BYTES


def test_numbers_that_went_by_a_slot_count_beside_strings() -> None:
    answered = AnsweredRows([LABEL, UNTOLD])
    outputs = [np.array([b"cat"], object), np.zeros((1, WIDTH), np.float32)]
    answered.learn(1, outputs, [[b"the answer, of which the numbers are elsewhere"]])
    assert RUN_BYTES // (2 * ROW_BYTES) <= answered.most <= RUN_BYTES // ROW_BYTES


def test_long_strings_count_beside_few_numbers() -> None:
    answered = AnsweredRows([LABEL, UNTOLD])
    outputs = [np.array([b"c"], object), np.zeros((1, 1), np.float32)]
    answered.learn(1, outputs, [[bytes(ROW_BYTES)]])
    assert answered.most == RUN_BYTES // ROW_BYTES
