"""Of each op that TensorFlow has, somebody has said whether models may use it."""

from __future__ import annotations

import re

import pytest
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_backends.runtimes.vetting.doubts import doubts
from tfaas_backends.runtimes.vetting.graph_vetting import vet_graph
from tfaas_backends.runtimes.vetting.op_lists import (
    ALLOWED_OPS,
    REFUSED_FAMILIES,
    family_of,
    unlisted,
)

from tests.backends.runtimes.vetting.graphs import READ, add, harmless
from tfaas_core.config import load_config
from tfaas_core.errors import CannotServe

_OF_CONVERTER = {
    "TFLite_Detection_PostProcess",
    "UnidirectionalSequenceLstm",
    "UnidirectionalSequenceRnn",
}
"""Registered in a process that converts a model for LiteRT, as a test may do in this one."""


def registered_ops() -> list[str]:
    """The names of all ops of the TensorFlow that is installed."""
    from tensorflow.core.framework import op_def_pb2
    from tensorflow.python.client import pywrap_tf_session as session

    content = session.TF_GetBuffer(session.TF_GetAllOpList())
    names = [op.name for op in op_def_pb2.OpList.FromString(content).op]
    return [name for name in names if name not in _OF_CONVERTER]


@pytest.fixture(scope="module")
def registered() -> list[str]:
    return registered_ops()


def test_each_op_of_tensorflow_is_in_one_of_the_lists(registered: list[str]) -> None:
    new = unlisted(registered)
    assert not new, (
        f"TensorFlow {tf.__version__} has ops that nobody has read yet: {' '.join(new)}: those that"
        " only compute on tensors go to allowed_ops.txt, others to a family of refused_ops.toml"
    )


def test_no_op_is_in_both_lists() -> None:
    assert [op for op in ALLOWED_OPS if family_of(op) is not None] == []


def test_no_part_of_a_family_is_for_nothing(registered: list[str]) -> None:
    for family in REFUSED_FAMILIES:
        for part in family.patterns:
            assert any(re.fullmatch(part, op) for op in registered), part


def test_each_op_that_is_refused_is_named_with_its_reason(registered: list[str]) -> None:
    count = 0
    for op in registered:
        family = family_of(op)
        if family is not None:
            graph_def = harmless()
            add(graph_def, "bad", op, "x")
            with pytest.raises(CannotServe, match=re.escape(f"{op!r}, {family.reason}")):
                vet_graph(graph_def, (), 0).check_none()
            count += 1
    assert count == len(registered) - sum(op in ALLOWED_OPS for op in registered)


def test_the_configuration_takes_the_names_of_all_of_them(registered: list[str]) -> None:
    names = ", ".join(f'"{op}"' for op in [READ, *registered])
    models = load_config(None, [f"models.allow_ops=[{names}]"], {}).models
    assert len(models.allow_ops) == len(registered) + 1


def test_what_no_list_has_is_doubted_and_the_nearest_is_named(registered: list[str]) -> None:
    assert doubts([*registered, "XlaCallModule"]) == []
    told = {
        "XlaCallModul": "; did you mean `XlaCallModule`?",
        "BatchFunktion": "; did you mean `BatchFunction`?",
        "MadeUp": "",
    }
    assert doubts(told) == [
        f"no op of TensorFlow is called `{op}` - at `$.models.allow_ops`{hint}"
        for op, hint in sorted(told.items())
    ]
