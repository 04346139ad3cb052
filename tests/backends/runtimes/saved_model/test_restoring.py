"""Large variables: read once, and in memory once, however many sessions have them."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfaas_backends.runtimes.graph import tuning
from tfaas_backends.runtimes.saved_model.restoring import Restoring
from tfaas_backends.runtimes.saved_model.variables import Stored
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_backends.runtimes.tensorflow.session import GraphSession

from tests.backends.runtimes.saved_model.saved_models import answers, function, load, save, v1
from tests.backends.runtimes.saved_model.small_models import LARGE, random, weighted
from tfaas_core.errors import DoesNotFit, TfaasError
from tfaas_core.runtime import LoadOptions
from tfaas_core.system.resources.memory import private_bytes

MIB = 1 << 20
ROWS = 64
ROW = np.array([3, 1], np.int32)
SHAPE, SIZE_BYTES = (ROWS, MIB // 4), ROWS * MIB


def checkpoint(folder: Path) -> str:
    """One with a value of ones, which takes no long to make."""
    prefix = str(folder / "variables")
    tf.raw_ops.SaveV2(
        prefix=prefix, tensor_names=["key"], shape_and_slices=[""], tensors=[tf.ones(SHAPE)]
    )
    return prefix


def restoring(prefix: str, unchanged: bool) -> tuple[Any, Restoring]:
    graph, stored = tf.Graph(), Stored("key", "", tf.float32.as_datatype_enum)
    with graph.as_default():
        variable = tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=SHAPE, shared_name="w", name="w")
        value = tf.raw_ops.ReadVariableOp(resource=variable, dtype=tf.float32)
        tf.raw_ops.AssignAddVariableOp(resource=variable, value=tf.ones(SHAPE), name="add")
        tf.reduce_sum(value[:, 0], name="sum")
    return graph, Restoring(graph, prefix, {"w": stored}, unchanged)


def test_a_further_session_has_variables_in_the_memory_of_one_that_is_open(tmp_path: Path) -> None:
    graph, values = restoring(checkpoint(tmp_path), unchanged=True)
    first, second = v1.Session(graph=graph), v1.Session(graph=graph)
    values.run(first)
    assert first.run("sum:0") == ROWS
    before = private_bytes(os.getpid())
    values.run(second)
    assert second.run("sum:0") == ROWS
    after = private_bytes(os.getpid())
    assert before is not None
    assert after is not None
    assert after - before < SIZE_BYTES / 2
    first.close()
    del first
    assert second.run("sum:0") == ROWS
    second.close()


def picked(table: Any, i: Any) -> Any:
    return tf.gather(table, i)[:, 0]


def picked_by_lists(table: Any, i: Any) -> Any:
    return tf.gather_nd(table, tf.expand_dims(i, 1))[:, 0]


def picked_in_a_branch(table: Any, i: Any) -> Any:
    return tf.cond(i[0] > 0, lambda: tf.gather(table, i)[:, 0], lambda: tf.gather(table, i)[:, 1])


def with_table(folder: Path, pick: Callable[[Any, Any], Any]) -> Path:
    """Each number of a row is the row's."""
    module = tf.Module()
    rows = tf.reshape(tf.range(ROWS, dtype=tf.float32), [-1, 1])
    module.table = tf.Variable(rows * tf.ones(SHAPE))
    body = function(lambda i: {"y": pick(module.table, i)}, i=tf.int32)
    return save(folder, body, module)


@pytest.mark.parametrize("pick", [picked, picked_by_lists, picked_in_a_branch])
def test_a_table_of_which_rows_are_gathered_is_in_memory_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pick: Callable[[Any, Any], Any]
) -> None:
    sizes: list[int] = []

    def measured(rival: GraphSession, session: GraphSession, *_given: object) -> bool:
        assert [each.run([ROW])[0].tolist() for each in (session, rival)] == [ROW.tolist()] * 2
        size_bytes = private_bytes(os.getpid())
        assert size_bytes is not None
        sizes.append(size_bytes)
        return False

    monkeypatch.setattr(tuning, "_cores", lambda: 2)
    monkeypatch.setattr(tuning, "_WORTH_TUNING_S", 0)
    monkeypatch.setattr(tuning, "_is_faster", measured)
    folder = with_table(tmp_path / "model", pick)
    gc.collect()
    before = private_bytes(os.getpid())
    servable = load(folder, LoadOptions())
    servable.tune([ROW])
    assert before is not None
    assert sizes[0] - before < 1.5 * SIZE_BYTES
    with pytest.raises(DoesNotFit, match=r"= 64 is not in \[0, 64\)|does not index into"):
        servable.run([np.array([ROWS], np.int32)])
    servable.close()


@pytest.mark.parametrize("unchanged", [True, False], ids=["init op", "runs"])
def test_what_changes_a_variable_does_so_in_one_session(tmp_path: Path, unchanged: bool) -> None:
    graph, values = restoring(checkpoint(tmp_path), unchanged)
    with v1.Session(graph=graph) as first, v1.Session(graph=graph) as second:
        values.run(first)
        values.run(second)
        first.run("add")
        assert (first.run("sum:0"), second.run("sum:0")) == (2 * ROWS, ROWS)


def test_a_session_with_more_threads_needs_no_file_and_outlives_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "_cores", lambda: 2)
    monkeypatch.setattr(tuning, "_WORTH_TUNING_S", 0)
    monkeypatch.setattr(tuning, "_is_faster", lambda *_given: True)
    servable, x = load(weighted(tmp_path / "model", LARGE), LoadOptions()), random(2, LARGE)
    before = answers(servable, x)["y"]
    shutil.rmtree(tmp_path / "model/variables")
    servable.tune([x])
    assert servable.threads == 2
    np.testing.assert_allclose(answers(servable, x)["y"], before, rtol=1e-4, atol=1e-4)
    with pytest.raises(TfaasError, match="variables are missing"):
        load(tmp_path / "model")
    servable.close()
