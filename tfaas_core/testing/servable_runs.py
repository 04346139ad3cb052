"""Runs of servables in the process of a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from tfaas_core.errors import TfaasError
from tfaas_core.runtime import Servable
from tfaas_core.tensors import Array

T = TypeVar("T")


def foreign(function: Callable[[], T], failed: Callable[[BaseException], TfaasError]) -> T:
    """What ``function``, which is a runtime's, returns; ``failed`` says what else it raises."""
    try:
        return function()
    except TfaasError:
        raise
    except (Exception, SystemExit) as error:
        raise failed(error) from error


def cut(inputs: Sequence[Array], rows: int, most_rows: int) -> Iterator[list[Array]]:
    """The inputs of each run, of ``most_rows`` rows at most; of one run if there are no rows."""
    for start in range(0, rows or 1, most_rows):
        yield [array[start : start + most_rows] for array in inputs]


def joined(servable: Servable, runs: Sequence[list[Array]]) -> list[Array]:
    """The outputs of all runs as those of one."""
    if len(runs) == 1:
        return runs[0]
    return [
        pieces[0] if spec.constant else np.concatenate(pieces)
        for spec, *pieces in zip(servable.signature.outputs, *runs, strict=True)
    ]
