"""The benchmark's network, and the HTTP calls that store it and ask it.

42-128-128-128-64-64-1-1, ReLU with a sigmoid at the end: the demo model `particles`.
"""

from __future__ import annotations

import msgspec
import numpy as np
from httpx import Client
from tfaas_backends.demo import demo_models

from benchmarks.servers import BenchmarkFailedError

FEATURES = 42
ROW: list[float] = np.random.default_rng(1).normal(size=FEATURES).round(4).tolist()
NAME = "bench"
REQUEST = msgspec.json.encode({"values": ROW, "model": NAME})
"""A predict request for one row, as the JSON codec and the no-op application read it."""

_DEMO = "particles"
_TIMEOUT_S = 120


def client(url: str) -> Client:
    """A client that waits long enough for a cold start."""
    return Client(base_url=url, timeout=_TIMEOUT_S)


def upload(to: Client, name: str) -> None:
    """Stores the network under ``name`` through the upload form."""
    model = next(model for model in demo_models() if model.name == _DEMO)
    assert model.params is not None
    params = msgspec.json.decode(model.params.read_bytes()) | {"name": name}
    answer = to.post(
        "/upload",
        data={"name": name},
        files={
            "model": ("model.pb", model.model.read_bytes()),
            "params": ("params.json", msgspec.json.encode(params)),
        },
    )
    if answer.status_code != 200:
        raise BenchmarkFailedError(f"the upload was answered {answer.status_code}: {answer.text}")


def predict(to: Client, name: str) -> None:
    """Asks for one prediction, and checks that it is one number."""
    answer = to.post("/json", json={"values": ROW, "model": name})
    if answer.status_code != 200 or len(answer.json()) != 1:
        raise BenchmarkFailedError(
            f"the prediction was answered {answer.status_code}: {answer.text}"
        )
