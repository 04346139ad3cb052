"""Folders that are no SavedModel, or a damaged one, and what is said of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format  # type: ignore[import-untyped]
from tfaas_backends.runtimes.saved_model.runtime import SavedModelRuntime
from tfaas_backends.runtimes.tensorflow.private import saved_model_pb2
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.apart import check_loading
from tests.backends.runtimes.saved_model.saved_models import (
    edit,
    function,
    load,
    save,
    v1,
)
from tests.backends.runtimes.saved_model.small_models import LARGE, random, weighted
from tfaas_core.errors import (
    BadBody,
    CannotServe,
    StorageUnavailable,
    TfaasError,
)


def remove_variables(folder: Path) -> None:
    shutil.rmtree(folder / "variables")


def remove_data(folder: Path) -> None:
    for file in folder.glob("variables/*.data-*"):
        file.unlink()


def truncate(pattern: str) -> Callable[[Path], None]:
    def truncate(folder: Path) -> None:
        (file,) = folder.glob(pattern)
        file.write_bytes(file.read_bytes()[:20])

    return truncate


def write(content: bytes) -> Callable[[Path], Any]:
    return lambda folder: (folder / "saved_model.pb").write_bytes(content)


def remove(folder: Path) -> None:
    (folder / "saved_model.pb").unlink()


def as_text(folder: Path) -> None:
    file = folder / "saved_model.pb"
    content = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    file.with_suffix(".pbtxt").write_text(text_format.MessageToString(content))
    file.unlink()


def frozen_graph(folder: Path) -> None:
    graph = tf.Graph()
    with graph.as_default():
        v1.placeholder(tf.float32, name="x")
    (folder / "saved_model.pb").write_bytes(graph.as_graph_def().SerializeToString())


def other_variable(folder: Path) -> None:
    other = weighted(folder.with_name("other"), 5)
    shutil.rmtree(folder / "variables")
    shutil.copytree(other / "variables", folder / "variables")


def unknown_op(folder: Path) -> None:
    def change(meta_graph: Any) -> None:
        for called in meta_graph.graph_def.library.function:
            if "signature_wrapper" in called.signature.name:
                called.node_def.add(name="f", op="Frob")

    edit(folder, change)


def no_initial_tensor(folder: Path) -> None:
    def change(meta_graph: Any) -> None:
        meta_graph.signature_def["serving_default"].outputs["y"].name = "gone:0"

    edit(folder, change)


def contradicting_shape(folder: Path) -> None:
    def change(meta_graph: Any) -> None:
        shape = meta_graph.signature_def["serving_default"].inputs["x"].tensor_shape
        shape.dim[1].size = 77

    edit(folder, change)


@pytest.mark.parametrize("size", [3, LARGE])
@pytest.mark.parametrize(
    ("harm", "error", "message"),
    [
        (remove, BadBody, "the model's folder holds no saved_model.pb"),
        (write(b""), BadBody, "saved_model.pb is empty"),
        (write(b"\x00garbage"), BadBody, "saved_model.pb is not a SavedModel, or a damaged one"),
        (
            as_text,
            CannotServe,
            r"in text format \(saved_model.pbtxt\): save it as",
        ),
        (frozen_graph, CannotServe, "holds a frozen graph, not a SavedModel: upload the file"),
        (truncate("saved_model.pb"), BadBody, "not a SavedModel, or a damaged one"),
        (remove_variables, BadBody, "variables are missing: pack the whole folder"),
        (remove_data, BadBody, "variables are missing: pack the whole folder"),
        (truncate("variables/*.index"), BadBody, r"variables are damaged: .*\bsstable\b"),
        (truncate("variables/*.data-*"), BadBody, "variables are damaged: "),
        (other_variable, CannotServe, "TensorFlow refuses the graph|cannot run"),
        (unknown_op, CannotServe, "'Frob', an op that TensorFlow [0-9.]+ does not know"),
        (no_initial_tensor, CannotServe, "the SavedModel's graph has no tensor 'gone:0'"),
        (contradicting_shape, CannotServe, r"gives 'x' the shape \(None, 77\), but it is"),
    ],
)
def test_a_bad_folder_is_refused_for_what_it_is(
    tmp_path: Path,
    size: int,
    harm: Callable[[Path], Any],
    error: type[TfaasError],
    message: str,
) -> None:
    folder = weighted(tmp_path / "model", size)
    harm(folder)
    with pytest.raises(TfaasError, match=message) as caught:
        load(folder)
    assert type(caught.value) is error
    assert "\n" not in caught.value.message
    assert str(tmp_path) not in caught.value.message


@pytest.mark.parametrize("pattern", ["variables/*.index", "variables/*.data-*"])
def test_damaged_variables_are_told_without_a_saver_too(tmp_path: Path, pattern: str) -> None:
    module = tf.Module()
    module.row = tf.Variable(random(9))
    signature = function(lambda x: {"y": x + module.row}, x=tf.float32)
    folder = save(tmp_path / "model", signature, module, experimental_skip_saver=True)
    truncate(pattern)(folder)
    with pytest.raises(BadBody, match=r"variables are damaged: "):
        load(folder)


def test_a_file_that_cannot_be_read_is_the_storage_s_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> bytes:
        raise OSError(5, "Input/output error")

    (tmp_path / "saved_model.pb").touch()
    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(StorageUnavailable, match=r"saved_model\.pb cannot be read: Input/output"):
        load(tmp_path)


def damage(file: Path, flips: int, random: np.random.Generator) -> None:
    content = np.frombuffer(file.read_bytes(), np.uint8).copy()
    # Names, ops and attributes are what is worth breaking in a graph, and all text.
    text = np.flatnonzero((content >= 32) & (content < 127))
    where = random.choice(text if file.suffix == ".pb" else len(content), flips)
    content[where] ^= 1 << random.integers(8, size=flips, dtype=np.uint8)
    file.write_bytes(content.tobytes())


def test_whatever_a_folder_holds_nothing_but_a_tfaas_error_comes_of_it(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    models = weighted(tmp_path / "small"), weighted(tmp_path / "large", LARGE)
    for number in range(24):
        folder = tmp_path / "damaged" / f"{number:02}"
        shutil.copytree(models[number % 2], folder)
        files = sorted(folder.glob("variables/*"))
        file = files[number % 3] if number % 3 < 2 else folder / "saved_model.pb"
        damage(file, (1, 4)[number % 2], random)
    check_loading(SavedModelRuntime, tmp_path / "damaged")
