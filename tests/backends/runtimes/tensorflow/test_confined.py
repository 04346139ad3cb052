"""Ops of TensorFlow that touch files: run in a model's process, unvetted, they are stopped."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from tests.core.sandbox.attacks import Targets
from tests.core.sandbox.test_confine import needs_all, targets
from tfaas_core.config import load_config
from tfaas_core.engine.base import EngineContext
from tfaas_core.engine.local import LocalEngineFactory
from tfaas_core.errors import CannotServe
from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions, Servable
from tfaas_core.testing.engine_harness import RUNTIME, Harness, Shelf
from tfaas_core.testing.runtime import FakeRuntime

QUIET = "tfaas_backends.runtimes.tensorflow.quiet"


class FileOpsRuntime(FakeRuntime):
    """A model is what there is to be attacked. Its graph tries it, op by op."""

    def load(self, artifact: Path, params: Params, options: LoadOptions) -> Servable:
        found = msgspec.json.decode(artifact.read_bytes(), type=Targets)
        told = {name: _told(name, found) for name in ("own", "read", "write", "list", "sum")}
        raise CannotServe(msgspec.json.encode(told).decode())


def _told(name: str, found: Targets) -> str:
    from tfaas_backends.runtimes.tensorflow.quiet import tf

    with tf.Graph().as_default() as graph:
        op = {
            "own": lambda: tf.io.read_file(f"{found.own}/model"),
            "read": lambda: tf.io.read_file(f"{found.folder}/other"),
            "write": lambda: tf.io.write_file(f"{found.everybody}/written", "1"),
            "list": lambda: tf.io.matching_files(f"{found.folder}/*"),
            "sum": lambda: tf.reduce_sum(tf.ones((100, 100)) @ tf.ones((100, 100))),
        }[name]()
        with tf.compat.v1.Session(graph=graph) as session:
            try:
                return str(session.run(op))
            except tf.errors.OpError as error:
                return type(error).__name__


async def answers(folder: Path) -> dict[str, str]:
    runtime = FileOpsRuntime()
    # Of this object alone.
    vars(runtime)["preload"] = (QUIET,)
    context = EngineContext(load_config(None, (), {}), {RUNTIME: runtime}, 1)
    harness = Harness(LocalEngineFactory(), context, Shelf(folder))
    try:
        await harness.start()
        with targets() as found, pytest.raises(CannotServe) as refused:
            await harness.worker.prepare("vk", msgspec.json.encode(found).decode())
        return msgspec.json.decode(refused.value.message, type=dict[str, str])
    finally:
        await harness.close()


@needs_all
def test_a_graph_reads_and_writes_no_file_of_others(tmp_path: Path) -> None:
    told = asyncio.run(answers(tmp_path))
    assert told.pop("sum") == "1e+06"
    assert told.pop("list") == "[]"
    # Its artifact is the file that it was loaded from, not that folder.
    assert told == {
        "own": "PermissionDeniedError",
        "read": "PermissionDeniedError",
        "write": "UnimplementedError",
    }
