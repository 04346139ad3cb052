"""Models that remember are as if newly loaded after a reset."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfaas_backends.runtimes.graph import tuning
from tfaas_backends.runtimes.graph.servable import GraphServable
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_backends.runtimes.tensorflow.session import GraphSession

from tests.backends.runtimes.saved_model.saved_models import function, load, save, save_v1, v1
from tfaas_core.errors import CannotServe
from tfaas_core.runtime import Servable
from tfaas_core.tensors import BatchAxis, Signature

Serve = Callable[..., Servable]

raw = tf.raw_ops
TEN = np.array([10, 20], np.float32)


def runs(servable: Servable, values: Any = TEN) -> list[list[Any]]:
    """The answers of three runs, one after the other."""
    return [servable.run([values])[0].tolist() for _ in range(3)]


def check(servable: Servable) -> None:
    """The runs after a reset are those after loading, which differ from each other."""
    assert servable.stateful
    first = runs(servable)
    assert first[0] != first[1] != first[2]
    for _ in range(2):
        servable.reset()
        assert runs(servable) == first
    servable.close()


# In the graph runtime.


def counter() -> None:
    """A variable that the first run sets, and all later ones count up."""
    x = v1.placeholder(tf.float32, [None], name="x")
    handle = raw.VarHandleOp(dtype=tf.float32, shape=[])
    known = raw.VarIsInitializedOp(resource=handle)
    before = tf.cond(
        known,
        lambda: raw.ReadVariableOp(resource=handle, dtype=tf.float32),
        lambda: tf.constant(0.0),
    )
    with tf.control_dependencies([raw.AssignVariableOp(resource=handle, value=before + 1)]):
        tf.add(x, before, name="y")


QUEUE_OPS = ("FIFOQueueV2", "QueueEnqueueV2", "QueueSizeV2")


def queue() -> None:
    """Answers how many were in a queue before this run."""
    x = v1.placeholder(tf.float32, [None], name="x")
    handle = raw.FIFOQueueV2(component_types=[tf.float32])
    with tf.control_dependencies([raw.QueueEnqueueV2(handle=handle, components=[x])]):
        size = raw.QueueSizeV2(handle=handle)
    tf.add(x, tf.cast(size, tf.float32), name="y")


def table() -> None:
    """Answers what the run before inserted."""
    x = v1.placeholder(tf.float32, [None], name="x")
    handle = raw.MutableHashTableV2(key_dtype=tf.int64, value_dtype=tf.float32)
    keys = tf.constant([0], tf.int64)
    found = raw.LookupTableFindV2(table_handle=handle, keys=keys, default_value=0.0)
    insert = raw.LookupTableInsertV2(table_handle=handle, keys=keys, values=found + 1)
    with tf.control_dependencies([insert]):
        tf.add(x, found, name="y")


def seeded() -> None:
    x = v1.placeholder(tf.float32, [None], name="x")
    tf.add(x, raw.RandomUniform(shape=[2], dtype=tf.float32, seed=3, seed2=4), name="y")


def seeded_within_a_function() -> None:
    x = v1.placeholder(tf.float32, [None], name="x")
    draw = tf.function(lambda: tf.random.uniform([2], seed=3), autograph=False)
    tf.add(x, draw(), name="y")


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("build", [counter, queue, table, seeded, seeded_within_a_function])
def test_a_graph_forgets(serve: Serve, build: Callable[[], Any], threads: int) -> None:
    check(serve(build, threads=threads, allow_ops=QUEUE_OPS))


# In the saved_model runtime.


class Remembering(tf.Module):  # type: ignore[misc]
    """Functions of x, each of which remembers or draws."""

    def __init__(self) -> None:
        super().__init__()
        self.sum = tf.Variable([1.0, 2.0])
        self.table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, 0.0)
        self.table.insert(tf.constant([0, 1], tf.int64), [5.0, 6.0])
        self.generator = tf.random.Generator.from_seed(3)

    def adds(self, x: Any) -> Any:
        return self.sum.assign_add(x)

    def inserts(self, x: Any) -> Any:
        keys = tf.constant([0, 1], tf.int64)
        self.table.insert(keys, self.table.lookup(keys) + x)
        return self.table.lookup(keys)

    def generates(self, x: Any) -> Any:
        return x + self.generator.uniform([2])

    def draws(self, x: Any) -> Any:
        return x + tf.random.uniform([2], seed=7)


NAMES = [name for name in vars(Remembering) if name[0] != "_"]


@pytest.fixture(scope="session", params=[False, True], ids=["saver", "no saver"])
def remembering(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a saver, sessions run it; without, only functions can where the table is needed."""
    module = Remembering()
    spec = tf.TensorSpec([2], tf.float32)
    signatures = {name: function(getattr(module, name), x=spec) for name in NAMES}
    folder = tmp_path_factory.mktemp("remembering") / "model"
    return save(folder, signatures, module, experimental_skip_saver=request.param)


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_model_forgets(remembering: Path, name: str) -> None:
    check(load(remembering, signature=name))


@pytest.fixture(scope="session")
def with_a_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All signatures use a table that no saver restores: they can only run as functions."""
    module = Remembering()
    spec = tf.TensorSpec([2], tf.float32)

    def beside_the_table(name: str) -> Any:
        keys = tf.constant([0, 1], tf.int64)
        return function(lambda x: getattr(module, name)(x) + module.table.lookup(keys), x=spec)

    signatures = {name: beside_the_table(name) for name in NAMES}
    folder = tmp_path_factory.mktemp("functions") / "model"
    return save(folder, signatures, module, experimental_skip_saver=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_that_runs_as_a_function_forgets(with_a_table: Path, name: str) -> None:
    check(load(with_a_table, signature=name))


@pytest.mark.parametrize("resources", [True, False])
def test_a_model_of_tensorflow_1_forgets(tmp_path: Path, resources: bool) -> None:
    def build() -> Any:
        x = v1.placeholder(tf.float32, [None])
        count = v1.get_variable("count", initializer=3.0)
        return {"x": x}, {"y": x + v1.assign_add(count, 1.0)}

    check(load(save_v1(tmp_path / "model", build, resources=resources)))


# How.


class CountedSession(GraphSession):
    """Computes nothing; is in the list ``sessions`` as long as it is open."""

    def __init__(self, sessions: list[GraphSession], seconds: float = 0) -> None:
        self.sessions, self.seconds = sessions, seconds
        sessions.append(self)

    def run(self, inputs: Any, place: int = 0) -> list[Any]:
        time.sleep(self.seconds)
        return []

    def close(self) -> None:
        if self in self.sessions:
            self.sessions.remove(self)


NOTHING = Signature((), (), BatchAxis.NONE)


def test_the_old_session_is_gone_before_the_new_one_comes() -> None:
    sessions: list[GraphSession] = []
    opened = []

    def open_session(threads: int) -> GraphSession:
        opened.append((threads, len(sessions)))
        return CountedSession(sessions)

    servable = GraphServable(open_session, open_session(4), NOTHING, True, False, threads=4)
    servable.reset()
    assert opened == [(4, 0), (4, 0)]
    servable.close()
    assert sessions == []


def test_a_reset_keeps_the_threads_that_proved_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "_cores", lambda: 2)
    sessions: list[GraphSession] = []
    opened = []

    def open_session(threads: int) -> GraphSession:
        opened.append(threads)
        return CountedSession(sessions, 0.0095 if threads == 1 else 0.001)

    servable = GraphServable(open_session, open_session(1), NOTHING, True, True)
    servable.tune([])
    servable.reset()
    assert opened == [1, 2, 2]
    servable.close()


def adding(folder: Path) -> Path:
    module = Remembering()
    return save(folder, function(module.adds, x=tf.TensorSpec([2], tf.float32)), module)


@pytest.mark.parametrize("make", ["adding", "without a saver"])
def test_a_reset_finds_a_folder_that_was_renamed(
    tmp_path: Path, with_a_table: Path, make: str
) -> None:
    folder = tmp_path / "staged"
    if make == "adding":
        adding(folder)
    else:
        shutil.copytree(with_a_table, folder)
    servable = load(folder, signature="serving_default" if make == "adding" else "adds")
    folder.rename(tmp_path / "stored")
    check(servable)


def test_a_reset_that_fails_says_so_and_the_servable_can_be_closed(tmp_path: Path) -> None:
    folder = adding(tmp_path / "model")
    servable = load(folder)
    for file in (folder / "variables").iterdir():
        file.unlink()
    with pytest.raises(CannotServe, match="files do not fit its graph") as caught:
        servable.reset()
    assert "/proc" not in caught.value.message
    servable.close()
