"""``tfaas inspect``, with the real runtimes, and with some that die."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import DEMO, Fails, Frozen, Tfaas
from tests.cli.inspect.fakes import FAKE, WITHOUT_TENSORFLOW, InstallPlugin, tar
from tests.data import MODELS as DATA

PARTICLES = DEMO / "particles.pb"
WITHOUT_GRAPH = "plugins.disabled=['tfaas_backends.runtimes.graph']"


def test_a_graph_is_described(tfaas: Tfaas, scale: Path) -> None:
    facts, ops, params = tfaas("inspect", scale).split("\n\n")
    assert [line.split(maxsplit=1) for line in facts.splitlines() if "batch" not in line] == [
        ["runtime", "graph"],
        ["bytes", str(scale.stat().st_size)],
        ["server", "would serve it"],
        ["rows", "may share a run: each row is proven to depend on itself alone"],
        ["input", "x float32 [?, 3]"],
        ["output", "y float32 [?, 3]"],
    ]
    assert "batch axis  free" in facts
    assert [line.split() for line in ops.splitlines()] == [
        *[["COUNT", "OP"], ["2", "Const"], ["1", "AddV2"], ["1", "Mul"], ["1", "Placeholder"]]
    ]
    assert json.loads(params.partition("\n")[2]) == {
        **{"name": "scale", "inputNode": "x", "outputNode": "y", "description": ""}
    }


def test_what_is_not_asked_for_or_not_served_is_said(tfaas: Tfaas, frozen: Frozen) -> None:
    def build(tf: Any) -> None:
        x = tf.compat.v1.placeholder(tf.float32, [None, 3], "x")
        factor = tf.compat.v1.placeholder_with_default(tf.constant([2.0]), [1], "factor")
        tf.compat.v1.placeholder(tf.bool, [], "training")
        tf.raw_ops.QuantizeV2(input=x * factor, min_range=0.0, max_range=1.0, T=tf.qint8, name="q")

    graph = frozen("model.pb", build)
    folder = graph.with_name("model")
    folder.mkdir()
    graph.rename(folder / "model.pb")
    (folder / "params.json").write_text('{"inputNode": ["x", "factor"]}')
    (graph.parent / "other").mkdir()
    by_way_of_another = graph.parent / "other" / ".." / "model"
    facts = tfaas("inspect", by_way_of_another).split("\n\n")[0].splitlines()
    assert [line.split(maxsplit=1) for line in facts if line[0] in "iu"] == [
        ["input", "x float32 [?, 3]"],
        ["input", "factor float32 [1], default [2.0]"],
        ["unused", "training"],
    ]
    assert "left out    q (qint8)" in facts
    found = json.loads(tfaas("inspect", folder, "--json"))
    assert found["params"]["name"] == "model"
    signature = found["signature"]
    assert (signature["unused"], signature["left_out"]) == (["training"], ["q (qint8)"])


def test_json_holds_all_that_was_found_and_its_params_can_be_uploaded_with_the_model(
    tfaas: Tfaas, scale: Path, here: Path
) -> None:
    found = json.loads(tfaas("inspect", scale, "--params", "params.json", "--json"))
    assert [found[key] for key in ("path", "loadable", "refusal", "runtime", "mergeable")] == [
        *(str(scale), True, "", "graph", True)
    ]
    assert found["signature"] == {
        "inputs": [{"name": "x", "dtype": "float32", "shape": [None, 3]}],
        "outputs": [{"name": "y", "dtype": "float32", "shape": [None, 3]}],
        "batch": "free",
    }
    assert next(iter(found["ops"].items())) == ("Const", 2)
    assert found["size"] == scale.stat().st_size
    bundle = tar(here / "b.tar.gz", {"vk/s.pb": scale, "vk/params.json": here / "params.json"})
    bundled = json.loads(tfaas("inspect", bundle, "--json"))
    for key in ("signature", "params", "ops", "size", "loadable"):
        assert found[key] == bundled[key]


@pytest.mark.parametrize(
    ("name", "inputs", "output"),
    [
        ("photon_id_barrel", ["FirstLayer_input"], "Identity"),
        ("track_classifier", ["x", "y"], "Identity"),
        ("deepmet", ["input", "input_cat0", "input_cat1", "input_cat2"], "output/BiasAdd"),
    ],
)
def test_a_real_network_and_its_params_are_found(
    tfaas: Tfaas, here: Path, name: str, inputs: list[str], output: str
) -> None:
    if not DATA.is_dir():
        pytest.skip("the real networks are not at hand")
    out = tfaas("inspect", DATA / f"{name}.pb", "--params", "found.json")
    assert "params.json" not in out
    found = json.loads((here / "found.json").read_text())
    assert found["inputNode"] == (inputs if len(inputs) > 1 else inputs[0])
    assert found["outputNode"] == output


def test_a_bundle_is_inspected_with_the_params_that_it_brings(
    tfaas: Tfaas, scale: Path, here: Path
) -> None:
    folder = here / "vk"
    folder.mkdir()
    (folder / "s.pb").write_bytes(scale.read_bytes())
    params = '{"outputNode": "mul", "features": ["a", "b", "c"], "owner": "me"}'
    (folder / "params.json").write_text(params)
    (folder / "warmup.json").write_text('{"values": [1, 2, 3], "outputs": [2, 4, 6]}')
    for path in (tar(here / "b.tar.gz", {"vk": folder}), folder):
        found = json.loads(tfaas("inspect", path, "--json"))
        assert found["signature"]["outputs"][0]["name"] == "mul"
        assert found["examples"] == 1
        assert found["params"] == {
            **{"name": "vk", "inputNode": "x", "outputNode": "mul", "description": ""},
            **{"features": ["a", "b", "c"], "owner": "me"},
        }


def test_a_bundle_whose_params_are_wrong_is_refused(
    fails: Fails, here: Path, install_plugin: InstallPlugin
) -> None:
    install_plugin("tfaas-counting", FAKE.format(body="return {}"))
    (here / "vk").mkdir()
    (here / "vk" / "sum.pb").write_text("sum")
    for params, words in (
        ('{"features": ["a", "b"]}', "names 2 columns, the model takes 3"),
        ("{", "params is not JSON"),
    ):
        (here / "vk" / "params.json").write_text(params)
        assert words in fails("inspect", "vk", "--set", WITHOUT_TENSORFLOW)


def test_a_saved_model_is_described(tfaas: Tfaas, here: Path) -> None:
    from tfaas_backends.runtimes.tensorflow.quiet import tf

    module = tf.Module()
    module.weights = tf.Variable([[1.0], [10.0], [100.0]])
    spec = tf.TensorSpec([None, 3], tf.float32, "row")
    module.serve = tf.function(lambda row: {"sum": row @ module.weights}, input_signature=[spec])
    tf.saved_model.save(module, str(here / "sum"), signatures={"serving_default": module.serve})
    for path in (here / "sum", tar(here / "sum.tar.gz", {"sum": here / "sum"})):
        found = json.loads(tfaas("inspect", path, "--json"))
        assert (found["runtime"], found["loadable"]) == ("saved_model", True)
        assert found["signature"]["inputs"][0] == {
            **{"name": "row", "dtype": "float32", "shape": [None, 3]}
        }
        assert found["ops"]["MatMul"] >= 1
        assert found["params"]["outputNode"] == "sum"


def test_a_file_that_is_there_is_not_overwritten(
    fails: Fails, here: Path, install_plugin: InstallPlugin
) -> None:
    install_plugin("tfaas-counting", FAKE.format(body="return {}"))
    (here / "model").write_text("sum")
    (here / "params.json").write_text("{}")
    assert "params.json is there already" in fails("inspect", "model", "--params", "params.json")
    assert (here / "params.json").read_text() == "{}"
    elsewhere = here / "no" / "params.json"
    said = fails("inspect", "model", "--params", elsewhere, "--set", WITHOUT_TENSORFLOW)
    assert said.endswith("no/params.json cannot be written: No such file or directory")


def test_the_configuration_counts(fails: Fails, scale: Path, here: Path) -> None:
    bundle = tar(here / "b.tar.gz", {"vk/s.pb": scale})
    assert "max_unpacked_bytes" in fails("inspect", bundle, "--set", "limits.max_unpacked_bytes=10")
    said = fails("inspect", scale, "--set", WITHOUT_GRAPH)
    assert "no runtime recognises this file; installed runtimes: saved_model" in said


@pytest.mark.parametrize(
    ("body", "ops"),
    [
        ("return {'a': 1, 'c': 2, 'b': 2}", {"b": 2, "c": 2, "a": 1}),
        *[("os.abort()", {}), ("raise ValueError", {}), ("return super().count_ops(1, 2)", {})],
    ],
)
def test_ops_are_counted_where_the_runtime_can(
    tfaas: Tfaas, here: Path, install_plugin: InstallPlugin, body: str, ops: dict[str, int]
) -> None:
    install_plugin("tfaas-counting", FAKE.format(body=body))
    (here / "model").write_text("sum")
    found = json.loads(tfaas("inspect", "model", "--json", "--set", WITHOUT_TENSORFLOW))
    assert (found["runtime"], found["loadable"]) == ("counting", True)
    assert list(found["ops"].items()) == list(ops.items())


def test_wrong_usage_has_status_2(fails: Fails, here: Path) -> None:
    for arguments in ([], ["nowhere.pb"], [".", "--params", here]):
        fails("inspect", *arguments, status=2)


def test_help_has_an_example(tfaas: Tfaas) -> None:
    assert "Example: tfaas inspect" in tfaas("inspect", "--help")


def test_examples_are_run_as_a_server_would(
    tfaas: Tfaas, fails: Fails, here: Path, install_plugin: InstallPlugin
) -> None:
    install_plugin("tfaas-counting", FAKE.format(body="return {}"))
    folder = here / "vk"
    folder.mkdir()
    (folder / "sum.pb").write_text("sum")
    warmup = folder / "warmup.json"
    warmup.write_text('[{"values": [1, 2, 3], "outputs": [6]}, {"values": [[0, 0, 0]]}]')
    inspection = ("inspect", folder, "--set", WITHOUT_TENSORFLOW)
    assert "examples    2, all reproduced\n" in tfaas(*inspection)
    assert json.loads(tfaas(*inspection, "--json"))["examples"] == 2
    for wrong, words in (
        ('{"values": [1, 2, 3], "outputs": [7]}', "at [0]: expected 7, got 6.0"),
        ("[1]", "warmup.examples[0] is a number"),
        ("{", "warmup.json is not JSON"),
    ):
        warmup.write_text(wrong)
        assert words in fails(*inspection)
