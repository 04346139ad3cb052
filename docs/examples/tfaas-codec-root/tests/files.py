"""What the tests have in common: ROOT files, and what the codec makes of them."""

from __future__ import annotations

import io
from typing import Any

import awkward as ak
import msgspec
import numpy as np
import uproot
from tfaas_codec_root.codec import ROOT, RootCodec

from tfaas_core.fields import Fields
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.tensors import Array, Bound, TensorSpec
from tfaas_core.testing.models import model_version

LIMIT = 1_000_000
VERSION = model_version()  # float32 [?, 2] to float32 [?, 1]
NAMED = model_version(params={"features": ["pt", "eta"]})
NAN = model_version(params={"nan": "accept"})
JETS = ak.Array([[30.0, 20.0, 10.0], [], [50.0]])


class _Buffer(io.BytesIO):
    """uproot closes what it has written to."""

    def close(self) -> None:
        pass


def file(compression: Any = None, extend: int = 1, **trees: dict[str, Any]) -> bytes:
    """A file with these TTrees by name; each may be extended several times by the same."""
    body = _Buffer()
    with uproot.recreate(body, compression=compression) as root:
        for name, branches in trees.items():
            kinds = {branch: _kind(values) for branch, values in branches.items()}
            root.mktree(name, kinds)
            for _ in range(extend):
                root[name].extend(branches)
    return body.getvalue()


def ntuple(fields: dict[str, Any], compression: Any = None, extend: int = 1) -> bytes:
    """A file with an RNTuple of these fields."""
    body = _Buffer()
    with uproot.recreate(body, compression=compression) as root:
        root.mkrntuple("Events", fields)
        for _ in range(extend - 1):
            root["Events"].extend(fields)
    return body.getvalue()


def _kind(values: Any) -> Any:
    if isinstance(values, ak.Array):
        return values.type.content
    values = np.asarray(values)
    return np.dtype((values.dtype, values.shape[1:]))


def branches(**values: Any) -> dict[str, Any]:
    """Branches as arrays: float64 or int64, unless they are arrays already."""
    return {
        name: each if isinstance(each, ak.Array) else np.asarray(each)
        for name, each in values.items()
    }


def rows(*values: list[float]) -> Array:
    return np.array(values, np.float32)


def bound(array: Array) -> Bound:
    return Bound({"x": array}, rows=len(array), single=len(array) == 1)


def read(body: bytes, version: ModelVersion = VERSION, limit: int = LIMIT, tree: str = "") -> Bound:
    codec = RootCodec(limit)
    head = Head.of_type(ROOT)
    query = Fields([("tree", tree)] if tree else [])
    return codec.bind(codec.parse(body, msgspec.structs.replace(head, query=query)), version)


def features(*names: str, pad: dict[str, Any] | None = None, **params: Any) -> ModelVersion:
    """A model of one input with these features."""
    root = {"root": {"pad": pad}} if pad else {}
    spec = TensorSpec("x", "float32", (None, len(names)))
    return model_version([spec], params={"features": list(names), **root, **params})
