from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tfaas_core.testing.server import RunningServer

NAME, WIDTH, PARTS = "wide", 1 << 18, 8
VALUES = [[0.5, 1.0, 2.0]] * 4


@pytest.fixture
def process(server: RunningServer, frozen: Callable[..., bytes]) -> Iterator[psutil.Process]:
    """That of a model whose runs take eight tensors of a mebibyte for each row."""

    def build(tf: Any) -> None:
        x = tf.compat.v1.placeholder(tf.float32, [None, 3], "x")
        wide = x[:, :1] * tf.constant([1.0] * WIDTH)
        parts = [tf.tanh(wide * (factor + 2.0)) for factor in range(PARTS)]
        tf.reduce_sum(tf.add_n(parts), axis=1, keepdims=True, name="y")

    before = {each.pid for each in server.model_processes()}
    answer = server.upload(NAME, frozen(build), params=b'{"threads": 1}')
    assert answer.status_code == 200, answer.text
    (found,) = [each for each in server.model_processes() if each.pid not in before]
    yield found
    server.http.delete(f"/delete/{NAME}")


def cleared_bytes(process: psutil.Process) -> int:
    """How much memory the kernel has cleared for it so far."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[7]) * resource.getpagesize()


def test_the_memory_of_a_run_is_that_of_the_one_before(
    server: RunningServer, process: psutil.Process
) -> None:
    for _turn in range(6):
        server.predict(model=NAME, values=VALUES)
    before = cleared_bytes(process)
    for _turn in range(10):
        assert server.predict(model=NAME, values=VALUES).status_code == 200
    assert (cleared_bytes(process) - before) / 10 < len(VALUES) * WIDTH * 4
