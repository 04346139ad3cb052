"""SavedModels that would read files that are not theirs, or bring what is no model."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfaas_backends.runtimes.saved_model.layout import check_layout
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.saved_model.saved_models import edit, function, load, save
from tests.backends.runtimes.vetting.hostile_models import (
    MODELS,
    PASSWD,
    RESTORING,
    constant,
    functions,
)
from tfaas_core.errors import CannotServe, StorageUnavailable
from tfaas_core.runtime import LoadOptions


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a variable and a vocabulary, as TensorFlow 2 writes it."""
    folder = tmp_path_factory.mktemp("original")
    words = folder / "words.txt"
    words.write_text("a\nb\n")
    module = tf.Module()
    module.weight = tf.Variable(2.0)
    initializer = tf.lookup.TextFileInitializer(
        str(words),
        tf.string,
        tf.lookup.TextFileIndex.WHOLE_LINE,
        tf.int64,
        tf.lookup.TextFileIndex.LINE_NUMBER,
    )
    module.table = tf.lookup.StaticHashTable(initializer, -1)

    def body(x: Any) -> Any:
        return {"y": tf.cast(module.table.lookup(x), tf.float32) * module.weight}

    return save(folder / "model", function(body, x=tf.string), module)


@pytest.fixture
def model(original: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(original, tmp_path / "model"))


def test_the_original_is_served(model: Path) -> None:
    answer = load(model).run([np.array([b"a", b"b", b"c"], object)])
    assert answer[0].tolist() == [0, 2, -2]


@pytest.mark.parametrize("name", MODELS)
def test_a_model_that_reads_other_files_is_refused(name: str, model: Path) -> None:
    change, op = MODELS[name]
    edit(model, change)
    with pytest.raises(CannotServe, match=f"'{op}', which reaches for files") as caught:
        load(model)
    assert caught.value.details["op"] == op
    assert caught.value.details["path"]


def test_a_function_is_not_taken_for_an_op_that_is_allowed(model: Path) -> None:
    def rename(meta_graph: Any) -> None:
        found, call = functions(meta_graph, RESTORING)
        call.attr["f"].func.name = found.signature.name = "Mine"
        call.op = "Mine"
        call.input[0] = constant(meta_graph)

    edit(model, rename)
    with pytest.raises(CannotServe, match=f"'{RESTORING}', which reaches for files"):
        load(model, LoadOptions(threads=1, allow_ops=("Mine",)))


def test_all_graphs_of_the_folder_are_vetted(model: Path) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    file = model / "saved_model.pb"
    content = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    other = content.meta_graphs.add()
    other.meta_info_def.tags.append("train")
    other.graph_def.node.add(name="bad", op="ReadFile")
    file.write_bytes(content.SerializeToString())
    with pytest.raises(CannotServe, match="node 'bad' uses 'ReadFile'"):
        load(model)
    load(model, LoadOptions(threads=1, policy="off")).close()


def link(folder: Path) -> None:
    (folder / "assets" / "more.txt").symlink_to(PASSWD)


def link_to_a_folder(folder: Path) -> None:
    (folder / "assets.extra").symlink_to("/etc")


def library(folder: Path) -> None:
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra" / "ops.so").write_bytes(b"")


def library_of_another_name(folder: Path) -> None:
    (folder / "assets" / "ops.txt").write_bytes(b"\x7fELF\2\1\1")


def unknown(folder: Path) -> None:
    (folder / "run.py").write_text("")


def unknown_variables(folder: Path) -> None:
    (folder / "variables" / "more.index").write_text("")


FOLDERS = [
    (link, "'assets/more.txt', which is neither a regular file nor a folder"),
    (link_to_a_folder, "'assets.extra', which is neither a regular file nor a folder"),
    (library, "'assets.extra/ops.so', a library of code"),
    (library_of_another_name, "'assets/ops.txt', a library of code"),
    (unknown, "'run.py', which is no file that TensorFlow or Keras writes there"),
    (unknown_variables, "'variables/more.index', which is no file that TensorFlow or Keras"),
]


@pytest.mark.parametrize(("change", "message"), FOLDERS)
def test_a_folder_with_more_than_a_model_is_refused(
    model: Path, change: Callable[[Path], None], message: str
) -> None:
    change(model)
    with pytest.raises(CannotServe, match=message):
        load(model)
    load(model, LoadOptions(threads=1, policy="off")).close()


def test_a_folder_that_cannot_be_listed_is_not_taken_for_an_empty_one(model: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    os.close(lowest := os.dup(0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        with pytest.raises(StorageUnavailable, match="cannot be read: Too many open files"):
            check_layout(model)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_broken_list_of_assets_is_told_in_a_sentence(model: Path) -> None:
    def break_it(meta_graph: Any) -> None:
        del meta_graph.asset_file_def[:]
        packed = meta_graph.collection_def["saved_model_assets"].any_list.value.add()
        packed.value = b"\xff\xff"

    with pytest.raises(CannotServe, match="TensorFlow refuses the graph"):
        load(edit(model, break_it))


def test_what_else_tools_write_into_the_folder_is_let_through(model: Path) -> None:
    for name in ("keras_metadata.pb", "params.json", "assets.extra/a/tf_serving_warmup_requests"):
        (model / name).parent.mkdir(parents=True, exist_ok=True)
        (model / name).write_bytes(b"{}")
    (model / "debug").mkdir()
    (model / "debug" / "saved_model_debug_info.pb").write_bytes(b"")
    load(model).close()
