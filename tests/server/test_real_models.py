"""Networks of the CMS experiment, with TensorFlow's own answers, where they are at hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data import MODELS
from tfaas_core.testing.server import RunningServer

FILES = sorted(MODELS.glob("*.pb"))

pytestmark = pytest.mark.skipif(not FILES, reason=f"the models are not at {MODELS.name}/*.pb")


def references(file: Path, kind: str) -> dict[str, Any]:
    with np.load(file.with_suffix(".npz")) as arrays:
        return {key[len(kind) :]: arrays[key] for key in arrays if key.startswith(kind)}


def question(inputs: dict[str, Any]) -> dict[str, Any]:
    if len(inputs) > 1:
        return {"inputs": {name: values.tolist() for name, values in inputs.items()}}
    return {"values": next(iter(inputs.values())).tolist()}


@pytest.mark.parametrize("named", [False, True], ids=["introspected", "named"])
@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.stem))
def test_a_real_network_answers_what_tensorflow_answers(
    server: RunningServer, file: Path, named: bool
) -> None:
    inputs, outputs = references(file, "in:"), references(file, "out:")
    ((output, expected),) = outputs.items()
    params = {"inputNode": [f"{name}:0" for name in inputs], "outputNode": f"{output}:0"}
    parts = {"params": json.dumps(params).encode()} if named else {}
    uploaded = server.upload(file.stem, file, **parts)
    assert uploaded.status_code == 200, uploaded.text

    batch = server.predict(model=file.stem, **question(inputs))
    assert batch.status_code == 200, batch.text
    np.testing.assert_allclose(np.array(batch.json()), expected, rtol=1e-6, atol=1e-6)
    if uploaded.json()["signature"]["batch"] == "free":
        row = {name: values[1] for name, values in inputs.items()}
        one = server.predict(model=file.stem, **question(row))
        np.testing.assert_allclose(np.array(one.json()), expected[1], rtol=1e-6, atol=1e-6)
    server.http.delete(f"/delete/{file.stem}")
