"""The benchmark's network, and the HTTP calls that store it and ask it.

42-128-128-128-64-64-1-1, ReLU with a sigmoid at the end: the demo model `particles`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from httpx import Client, Response
from tfaas_backends.demo import DemoModel, demo_models

from benchmarks.servers import BenchmarkFailedError
from tfaas_core.tensors import Array

FEATURES = 42
ROWS: Array = np.random.default_rng(1).normal(size=(10_000, FEATURES)).round(4)
"""float64 [10000, 42]"""
NAME = "bench"

_DEMO = "particles"
_TIMEOUT_S = 120


def client(url: str) -> Client:
    """A client that waits long enough for a cold start."""
    return Client(base_url=url, timeout=_TIMEOUT_S)


def demo_model(name: str) -> DemoModel:
    """The demo model of this name."""
    return next(model for model in demo_models() if model.name == name)


def graph_file() -> Path:
    """The network as a frozen graph."""
    return demo_model(_DEMO).model


def upload(to: Client, name: str) -> None:
    """Stores the network as a frozen graph under ``name``, through the upload form."""
    model = demo_model(_DEMO)
    assert model.params is not None
    params = msgspec.json.decode(model.params.read_bytes()) | {"name": name}
    upload_graph(to, name, model.model, params)


def upload_graph(to: Client, name: str, graph: Path, params: dict[str, Any] | None = None) -> None:
    """Stores a frozen graph under ``name``, through the upload form."""
    files = {
        "model": ("model.pb", graph.read_bytes()),
        "params": ("params.json", msgspec.json.encode(params or {})),
    }
    check_upload(to.post("/upload", data={"name": name}, files=files))


def upload_bundle(to: Client, name: str, bundle: Path) -> None:
    """Stores the model in a small tarball under ``name``."""
    headers = {"Content-Type": "application/octet-stream"}
    answer = to.post("/upload", params={"name": name}, content=bundle.read_bytes(), headers=headers)
    check_upload(answer)


def check_upload(answer: Response) -> None:
    """Raises BenchmarkFailedError for any answer but 200."""
    if answer.status_code != 200:
        raise BenchmarkFailedError(f"the upload was answered {answer.status_code}: {answer.text}")


def remove(to: Client, name: str) -> None:
    """Deletes a model."""
    to.delete(f"/delete/{name}").raise_for_status()


def is_served(by: Client, name: str) -> bool:
    """Whether a request for one prediction is answered."""
    answer = by.post("/json", json={"values": ROWS[0].tolist(), "model": name})
    return answer.status_code == 200


def predict(to: Client, name: str) -> float:
    """Asks for one prediction, checks that it is one number, and returns that."""
    answer = to.post("/json", json={"values": ROWS[0].tolist(), "model": name})
    if answer.status_code != 200 or len(answer.json()) != 1:
        raise BenchmarkFailedError(
            f"the prediction was answered {answer.status_code}: {answer.text}"
        )
    return float(answer.json()[0])
