"""What SavedModels remember: which are stateful, and tables that are filled on loading."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.saved_model.saved_models import (
    answers,
    edit,
    function,
    load,
    save,
    save_v1,
    v1,
)
from tfaas_core.errors import CannotServe

ONES = np.ones(2, np.float32)
WORDS = np.array([b"higgs", b"top", b"?"], object)


class Stateful(tf.Module):  # type: ignore[misc]
    """A variable, two tables, and functions of x that use them."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = tf.Variable(2.0)
        numbers = tf.lookup.KeyValueTensorInitializer(tf.constant([1, 2], tf.int64), [10.0, 20.0])
        self.constant = tf.lookup.StaticHashTable(numbers, 0.0)
        self.table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, 0.0)
        self.table.insert(tf.constant([1], tf.int64), [100.0])

    def reads(self, x: Any) -> Any:
        return x * self.factor

    def reads_in_a_branch(self, x: Any) -> Any:
        return tf.cond(tf.size(x) > 3, lambda: x, lambda: x * self.factor)

    def assigns(self, x: Any) -> Any:
        return x * self.factor.assign_add(1.0)

    def assigns_in_a_loop(self, x: Any) -> Any:
        return tf.while_loop(
            lambda i, x: i < 1, lambda i, x: (i + 1, x * self.factor.assign_add(1.0)), (0, x)
        )[1]

    def draws(self, x: Any) -> Any:
        return x + tf.random.uniform(tf.shape(x), seed=1)

    def draws_by_a_seed(self, x: Any) -> Any:
        return x + tf.random.stateless_uniform(tf.shape(x), [1, 2])

    def looks_up(self, x: Any) -> Any:
        keys = tf.cast(x, tf.int64)
        return self.constant.lookup(keys) + self.table.lookup(keys)

    def inserts(self, x: Any) -> Any:
        keys = tf.cast(x, tf.int64)
        self.table.insert(keys, x)
        return self.table.lookup(keys)


@pytest.fixture(scope="session")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    module = Stateful()
    bodies = [getattr(module, name) for name in vars(Stateful) if name[0] != "_"]
    signatures = {body.__name__: function(body, x=tf.float32) for body in bodies}
    return save(tmp_path_factory.mktemp("functions") / "model", signatures, module)


@pytest.mark.parametrize("name", ["reads", "reads_in_a_branch", "draws_by_a_seed", "looks_up"])
def test_what_only_reads_is_not_stateful(functions: Path, name: str) -> None:
    assert not load(functions, signature=name).stateful


@pytest.mark.parametrize("name", ["assigns", "assigns_in_a_loop", "draws", "inserts"])
def test_what_changes_something_or_draws_is_stateful(functions: Path, name: str) -> None:
    assert load(functions, signature=name).stateful


@pytest.mark.parametrize(
    ("name", "values"),
    [("reads", [2, 2]), ("reads_in_a_branch", [2, 2]), ("looks_up", [110, 110])],
)
def test_variables_and_tables_hold_what_was_saved(
    functions: Path, name: str, values: list[float]
) -> None:
    (output,) = load(functions, signature=name).run([ONES])
    assert output.tolist() == values


@pytest.mark.parametrize("name", ["assigns", "assigns_in_a_loop"])
def test_an_assigned_variable_is_remembered(functions: Path, name: str) -> None:
    servable = load(functions, signature=name)
    assert [float(servable.run([ONES])[0][0]) for _ in range(3)] == [3, 4, 5]


@pytest.mark.parametrize("resources", [True, False])
def test_a_variable_of_tensorflow_1_that_is_assigned_is_state(
    tmp_path: Path, resources: bool
) -> None:
    def build() -> Any:
        x = v1.placeholder(tf.float32, [None])
        count = v1.get_variable("count", initializer=0.0)
        return {"x": x}, {"y": x + v1.assign_add(count, 1.0)}

    servable = load(save_v1(tmp_path / "model", build, resources=resources))
    assert servable.stateful
    assert [float(servable.run([ONES])[0][0]) for _ in range(2)] == [2, 3]


# Tables from files.


def table(file: Path) -> Any:
    initializer = tf.lookup.TextFileInitializer(
        str(file),
        tf.string,
        tf.lookup.TextFileIndex.WHOLE_LINE,
        tf.int64,
        tf.lookup.TextFileIndex.LINE_NUMBER,
    )
    return tf.lookup.StaticHashTable(initializer, -1)


def vocabulary(tmp_path: Path) -> Path:
    file = tmp_path / "words.txt"
    file.write_text("top\nhiggs\n")
    return file


def of_tensorflow_2(tmp_path: Path) -> Path:
    file, module = vocabulary(tmp_path), tf.Module()
    module.table = table(file)
    module.offset = tf.Variable(10, dtype=tf.int64)
    body = function(lambda x: {"y": module.table.lookup(x) + module.offset}, x=tf.string)
    save(tmp_path / "model", body, module)
    file.unlink()
    return tmp_path / "model"


def of_tensorflow_1(tmp_path: Path) -> Path:
    file = vocabulary(tmp_path)

    def build() -> Any:
        x = v1.placeholder(tf.string, [None])
        offset = v1.get_variable("offset", initializer=tf.constant(10, tf.int64))
        return {"x": x}, {"y": table(file).lookup(x) + offset}

    save_v1(tmp_path / "model", build)
    file.unlink()
    return tmp_path / "model"


BOTH = pytest.mark.parametrize("made", [of_tensorflow_1, of_tensorflow_2])


@BOTH
def test_tables_are_filled_from_the_model_s_own_files(
    tmp_path: Path, made: Callable[[Path], Path]
) -> None:
    servable = load(made(tmp_path))
    assert answers(servable, WORDS)["y"].tolist() == [11, 10, 9]
    assert not servable.stateful


@BOTH
def test_a_file_that_is_missing_is_named(tmp_path: Path, made: Callable[[Path], Path]) -> None:
    folder = made(tmp_path)
    (folder / "assets/words.txt").unlink()
    with pytest.raises(CannotServe, match=r"asset 'words.txt' is missing: pack the whole folder"):
        load(folder)


@BOTH
def test_a_file_that_does_not_fill_the_table_is_refused(
    tmp_path: Path, made: Callable[[Path], Path]
) -> None:
    folder = made(tmp_path)
    (folder / "assets/words.txt").write_text("top\ntop\n")
    with pytest.raises(CannotServe, match=r"files do not fit its graph: .*top") as caught:
        load(folder)
    assert str(tmp_path) not in caught.value.message


@BOTH
@pytest.mark.parametrize("name", ["../words.txt", "/etc/passwd", "a/../../words.txt", "a\0b"])
def test_a_file_outside_of_the_folder_is_not_read(
    tmp_path: Path, made: Callable[[Path], Path], name: str
) -> None:
    def lead_out(meta_graph: Any) -> None:
        # TensorFlow 1 lists its files in a collection, TensorFlow 2 in a field of their own.
        for packed in meta_graph.collection_def["saved_model_assets"].any_list.value:
            packed.Unpack(meta_graph.asset_file_def.add())
        for asset in meta_graph.asset_file_def:
            asset.filename = name

    folder = edit(made(tmp_path), lead_out)
    (folder / "words.txt").write_text("higgs\n")
    with pytest.raises(CannotServe, match="leads out of its folder"):
        load(folder)
