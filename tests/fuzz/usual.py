"""Usual bodies, of a codec that answers them by a plan."""

from __future__ import annotations

from typing import Any

from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.tensors import Bound


def check_usual(
    codec: Any, body: bytes, head: Head, version: ModelVersion, bound: Bound | None
) -> None:
    """What is read at once is what is read otherwise: ``bound``, or nothing if it is None."""
    usual, plan = codec.usual(body, head), codec.usual_plan(version)
    inputs = None if usual is None or plan is None else plan.inputs(usual)
    if inputs is None:
        return
    assert bound is not None, "it is refused otherwise"
    (array,) = bound.arrays.values()
    assert array.dtype == inputs[0].dtype
    assert array.tobytes() == inputs[0].tobytes()
