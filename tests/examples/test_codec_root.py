"""ROOT files over HTTP, by the example ``tfaas-codec-root``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tfaas_backends.demo import demo_models

from tests.examples.conftest import Example, Install
from tfaas_core.testing.server import RunningServer

ROW = [47.9, 0.3, 3.0, *[0.5] * 39]
JETS = [[0.5] * 50, [0.5] * 20]
MANY = 100_000
ROOT = "application/x-root"
LIMIT = 100_000_000

# A tree of two events with a branch for each number, or with lists; several trees; what is too
# large; and what does not fit.
WRITE = """
import json, sys
import awkward as ak, numpy as np, uproot
row, jets, many, limit = json.loads(sys.argv[1])
columns = {f"f{number}": np.array([value, value]) for number, value in enumerate(row)}
def kind(values):
    return values.type.content if isinstance(values, ak.Array) else values.dtype
def write(name, compression=uproot.ZSTD(1), **trees):
    with uproot.recreate(name, compression=compression) as file:
        for tree, branches in trees.items():
            file.mktree(tree, {name: kind(values) for name, values in branches.items()})
            file[tree].extend(branches)
write("columns.root", Events=columns, compression=None)
write("reverse.root", Events=dict(reversed(columns.items())))
with uproot.recreate("ntuple.root") as file:
    file.mkrntuple("Events", columns)
first = {name: columns[name] for name in ("f0", "f1", "f2")}
write("jets.root", Events={**first, "jet": ak.Array(jets), "run": np.array([1, 2])})
write("several.root", Events=columns, Runs={"run": np.array([1])})
write("missing.root", Events={name: columns[name] for name in list(columns)[1:]})
write("many.root", Events={name: np.repeat(values, many // 2) for name, values in columns.items()})
zeros = {name: np.zeros(limit // 100) for name in columns}
write("bomb.root", Events=zeros)
"""

READ = """
import json, sys
import uproot
tree = uproot.open(sys.argv[1])["predictions"]
print(json.dumps({name: each.tolist() for name, each in tree.arrays(library="np").items()}))
"""


@pytest.fixture(scope="module")
def example(install: Install) -> Example:
    return install("tfaas-codec-root")


@pytest.fixture(scope="module")
def bodies(example: Example, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bodies")
    example.run("-c", WRITE, json.dumps([ROW, JETS, MANY, LIMIT]), folder=folder)
    return folder


@pytest.fixture(scope="module")
def server(example: Example, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """It has ``particles``; and the same with the names of its columns, or of elements of lists."""
    model = next(model.model for model in demo_models() if model.name == "particles")
    named = {"features": [f"f{number}" for number in range(42)]}
    jets: dict[str, Any] = {
        "features": [*named["features"][:3], *(f"jet_{number}" for number in range(39))],
        "root": {"tree": "Events", "pad": {"jet": {"value": 0.5}}},
    }
    settings = (
        "server.workers=1",
        f"server.max_body_bytes={LIMIT}",
        f"engine.max_queue_rows={MANY}",
    )
    with example.served(tmp_path_factory.mktemp("served"), *settings) as server:
        assert server.upload("particles", model).status_code == 200
        for name, params in (("named", named), ("jets", jets)):
            sent = server.upload(name, model, params=json.dumps(params).encode())
            assert sent.status_code == 200
        yield server


def post(server: RunningServer, path: str, body: bytes, kind: str = ROOT) -> httpx.Response:
    return server.http.post(path, content=body, headers={"Content-Type": kind})


def branches_of(example: Example, answer: httpx.Response, folder: Path) -> dict[str, list[float]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == ROOT
    (folder / "answer.root").write_bytes(answer.content)
    branches: dict[str, list[float]] = json.loads(example.run("-c", READ, folder / "answer.root"))
    return branches


def expected(server: RunningServer) -> float:
    (number,) = server.predict(model="particles", values=ROW).json()
    return float(number)


def test_its_own_tests_pass(example: Example) -> None:
    example.run("-m", "pytest", "-q", "-p", "no:cacheprovider")


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("/root?model=particles", "columns.root"),
        ("/predict?model=named", "ntuple.root"),
        ("/models/named/versions/1/predict/root", "reverse.root"),
        ("/models/named/predict/root?tree=Events", "several.root"),
        ("/models/jets/predict/root", "jets.root"),
    ],
)
def test_files_are_answered_by_files(
    server: RunningServer, example: Example, bodies: Path, tmp_path: Path, path: str, file: str
) -> None:
    answer = post(server, path, (bodies / file).read_bytes())
    assert branches_of(example, answer, tmp_path) == {
        "signal": pytest.approx([expected(server)] * 2, rel=1e-5)
    }


def test_many_rows_are_answered(
    server: RunningServer, example: Example, bodies: Path, tmp_path: Path
) -> None:
    answer = post(server, "/models/named/predict/root", (bodies / "many.root").read_bytes())
    (branch,) = branches_of(example, answer, tmp_path).values()
    assert len(branch) == MANY


def test_a_request_of_another_format_may_be_answered_by_a_file(
    server: RunningServer, example: Example, tmp_path: Path
) -> None:
    document = {"model": "particles", "values": ROW}
    answer = server.http.post("/predict", json=document, headers={"Accept": ROOT})
    assert branches_of(example, answer, tmp_path) == {"signal": pytest.approx([expected(server)])}


def test_a_file_may_be_answered_by_another_format(server: RunningServer, bodies: Path) -> None:
    headers = {"Content-Type": ROOT, "Accept": "application/json"}
    body = (bodies / "columns.root").read_bytes()
    answer = server.http.post("/predict?model=named", content=body, headers=headers)
    assert [row[0] for row in answer.json()] == pytest.approx([expected(server)] * 2)


def test_what_cannot_be_read_is_told(server: RunningServer, bodies: Path) -> None:
    whole = (bodies / "columns.root").read_bytes()
    for body, status, told in [
        (b"", 400, "the body is empty"),
        (b"/etc/hostname", 400, "it does not begin with 'root'"),
        (whole[:-100], 400, "the body is cut"),
        ((bodies / "several.root").read_bytes(), 422, "has 2 trees: 'Events', 'Runs'; choose one"),
        ((bodies / "missing.root").read_bytes(), 422, "branch 'f0' is missing in TTree 'Events'"),
        ((bodies / "jets.root").read_bytes(), 422, "branch 'f3' is missing in TTree 'Events'"),
        ((bodies / "bomb.root").read_bytes(), 413, "server.max_body_bytes"),
    ]:
        answer = post(server, "/models/named/predict/root", body)
        assert answer.status_code == status, answer.text
        assert told in answer.json()["error"]
