"""Models of TensorFlow Serving and Triton, by the example ``tfaas-storage-tfserving``."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tfaas_backends.demo import demo_models

from tests.examples.conftest import Example, Install, mapped
from tfaas_core.testing.server import RunningServer, http_client
from tfaas_core.testing.waiting import until

READING_S = 120.0
PAUSE_S = 0.005
VALUES = [1, 2, 3]


def save_model(folder: Path, factor: float) -> Path:
    """A SavedModel: rows of three numbers times ``factor``; its signature ``ten``, times ten."""
    # Only here: other examples do without TensorFlow.
    from tfaas_backends.runtimes.tensorflow.quiet import tf

    module = tf.Module()
    module.factor = tf.Variable(factor)
    row = tf.TensorSpec([None, 3], tf.float32, name="x")
    module.function = tf.function(lambda x: {"y": x * module.factor}, input_signature=[row])
    module.ten = tf.function(lambda x: {"y": x * 10.0}, input_signature=[row])
    signatures = {"serving_default": module.function, "ten": module.ten}
    tf.saved_model.save(module, str(folder), signatures)
    return folder


@pytest.fixture(scope="module")
def example(install: Install) -> Example:
    return install("tfaas-storage-tfserving")


@pytest.fixture(scope="module")
def double(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("made") / "double", 2.0)


@pytest.fixture(scope="module")
def triple(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("made") / "triple", 3.0)


@contextmanager
def serving(
    example: Example, folder: Path, key: str, where: Path, records: Path | None = None
) -> Iterator[RunningServer]:
    kept = f"storage.records={records or folder / 'records'}"
    settings = ("storage.kind=tfserving", f"storage.{key}={where}", kept)
    with example.served(folder, "server.workers=1", *settings) as server:
        yield server


@pytest.fixture(scope="module")
def base(double: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base path with ``vk``, and ``broken``, half of whose only version is there."""
    base = tmp_path_factory.mktemp("base")
    shutil.copytree(double, base / "vk" / "1")
    (base / "broken" / "1").mkdir(parents=True)
    (base / "broken" / "1" / "saved_model.pb").write_bytes(
        (double / "saved_model.pb").read_bytes()[:500]
    )
    return base


@pytest.fixture(scope="module")
def server(
    example: Example, base: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("served")
    with serving(example, folder, "model_base_path", base) as server:
        until(lambda: "vk" in server.names(), READING_S)
        yield server


def answered_by(server: RunningServer, model: str = "vk") -> str:
    answer = server.predict(model=model, values=VALUES)
    return str(answer.headers.get("tfaas-model", answer.text))


def numbers(server: RunningServer, **document: object) -> object:
    return server.predict(values=VALUES, **document).json()


@contextmanager
def asked_all_the_time(server: RunningServer) -> Iterator[list[httpx.Response]]:
    """Clients that ask for ``vk`` while the block lasts; and all answers but those of 200."""
    failed: list[httpx.Response] = []
    end = threading.Event()

    def ask() -> None:
        with http_client(server.url) as client:
            while not end.wait(PAUSE_S):
                answer = client.post("/json", json={"model": "vk", "values": VALUES})
                if answer.status_code != 200:
                    failed.append(answer)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield failed
    finally:
        end.set()
        for thread in threads:
            thread.join()


def test_its_own_tests_pass(example: Example) -> None:
    example.run("-m", "pytest", "-q", "-p", "no:cacheprovider")


def test_a_base_path_is_served_and_a_broken_model_told(server: RunningServer, base: Path) -> None:
    assert numbers(server, model="vk") == [2.0, 4.0, 6.0]
    assert numbers(server, model="vk", signature_name="ten") == [10.0, 20.0, 30.0]
    (record,) = server.http.get("/models").json()
    assert (record["name"], record["version"], record["runtime"]) == ("vk", 1, "saved_model")
    assert record["signature"]["inputs"] == [{"name": "x", "dtype": "float32", "shape": [None, 3]}]
    assert record["batch"]["merge"] is True
    told = (
        f"version broken/1, in {base}/broken/1, is not served: saved_model.pb is not a SavedModel"
    )
    until(lambda: told in server.log.read_text(), READING_S)
    assert server.predict(model="broken", values=VALUES).status_code == 404
    parent_and_workers = [server.parent, *server.workers()]
    assert not any("tensorflow" in mapped(process.pid) for process in parent_and_workers)


def test_versions_come_and_go_without_a_failed_request(
    server: RunningServer, base: Path, triple: Path
) -> None:
    with asked_all_the_time(server) as failed:
        # Copied in two steps: between them, it is no version.
        half = base / "vk" / "2"
        half.mkdir()
        shutil.copy(triple / "saved_model.pb", half)
        told = f"version vk/2, in {half}, is not served: the SavedModel's variables are missing"
        until(lambda: told in server.log.read_text(), READING_S)
        assert answered_by(server) == "vk/1"
        shutil.copytree(triple / "variables", half / "variables")
        until(lambda: answered_by(server) == "vk/2", READING_S)
        assert numbers(server, model="vk") == [3.0, 6.0, 9.0]
        shutil.rmtree(half)
        until(lambda: answered_by(server) == "vk/1", READING_S)
    assert [answer.text for answer in failed] == []


def test_changes_are_refused_in_one_sentence(
    server: RunningServer, base: Path, double: Path
) -> None:
    refused = [
        server.upload("other", double / "saved_model.pb"),
        server.http.delete("/delete/vk"),
        server.http.delete("/models/vk/versions/1"),
        server.http.post("/models/vk/rollback", json={"version": 1}),
        server.http.put("/models/vk/labels/stable", json={"version": 1}),
        server.http.post("/params", json={"name": "vk"}),
    ]
    for answer in refused:
        assert (answer.status_code, answer.json()["code"]) == (403, "read_only"), answer.text
        assert f"the models are read from {base}, and changed only there" in answer.json()["error"]


def test_what_was_found_out_is_there_for_the_next_server(
    server: RunningServer, example: Example, base: Path, tmp_path: Path
) -> None:
    records = server.log.parent / "records"
    with serving(example, tmp_path, "model_base_path", base, records) as again:
        assert answered_by(again) == "vk/1"
        assert "reading version" not in again.log.read_text()


def test_a_models_config_says_versions_and_labels(
    example: Example, double: Path, triple: Path, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    shutil.copytree(double, base / "1")
    shutil.copytree(triple, base / "2")

    def configure(stable: int) -> None:
        labels = f'version_labels {{ key: "stable" value: {stable} }}'
        (tmp_path / "new").write_text(
            f'model_config_list {{ config {{ name: "vk" base_path: "{base}" '
            f'model_platform: "tensorflow" model_version_policy {{ all {{}} }} {labels} }} }}'
        )
        (tmp_path / "new").rename(tmp_path / "models.config")

    configure(1)
    with serving(example, tmp_path, "model_config_file", tmp_path / "models.config") as server:
        until(lambda: numbers(server, model="vk", version=1) == [2.0, 4.0, 6.0], READING_S)
        assert answered_by(server) == "vk/2"
        assert numbers(server, model="vk", label="stable") == [2.0, 4.0, 6.0]
        configure(2)
        until(lambda: numbers(server, model="vk", label="stable") == [3.0, 6.0, 9.0], READING_S)


def test_a_repository_of_triton_is_served(example: Example, double: Path, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    shutil.copytree(double, repository / "vk" / "3" / "model.savedmodel")
    (repository / "vk" / "config.pbtxt").write_text(
        'name: "vk" platform: "tensorflow_savedmodel" max_batch_size: 8\n'
        'input [ { name: "x" data_type: TYPE_FP32 dims: [ 3 ] } ]\n'
        "version_policy: { specific: { versions: [ 3 ] } }"
    )
    graph = next(model.model for model in demo_models() if model.name == "particles")
    (repository / "particles" / "1").mkdir(parents=True)
    shutil.copy(graph, repository / "particles" / "1" / "model.graphdef")
    with serving(example, tmp_path, "model_repository", repository) as server:
        until(lambda: server.names() == ["particles", "vk"], READING_S)
        assert numbers(server, model="vk") == [2.0, 4.0, 6.0]
        assert answered_by(server) == "vk/3"
        row = [47.9, 0.3, 3.0, *[0.5] * 39]
        answer = server.predict(model="particles", values=row)
        assert answer.headers["tfaas-model"] == "particles/1", answer.text
        assert server.http.get("/models/particles/download").status_code == 200
        found = {record["name"]: record["runtime"] for record in server.http.get("/models").json()}
        assert found == {"particles": "graph", "vk": "saved_model"}
