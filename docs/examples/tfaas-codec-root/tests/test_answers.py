"""Outputs as ROOT files."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import uproot
from files import LIMIT, bound, rows
from tfaas_codec_root.codec import ROOT, RootCodec

from tfaas_core.errors import NotAcceptable
from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import Array, TensorSpec
from tfaas_core.testing.models import model_version


def trees(outputs: dict[str, Array], version: ModelVersion) -> dict[str, dict[str, Any]]:
    """The branches of each tree of the answer, as lists."""
    encoded = RootCodec(LIMIT).encode_other(outputs, bound(rows([1, 2])), version)
    assert encoded.media_type == ROOT
    with uproot.open(io.BytesIO(encoded.whole())) as file:
        return {
            name: {branch: each.tolist() for branch, each in tree.arrays(library="np").items()}
            for name, tree in file.items(cycle=False)
        }


def test_outputs_are_branches_of_their_shapes() -> None:
    specs = (
        TensorSpec("p", "float32", (None, 2)),
        TensorSpec("image", "int8", (None, 2, 1)),
        TensorSpec("wave", "complex64", (None, 1)),
        TensorSpec("half", "float16", (None,)),
        TensorSpec("fires", "bool", (None,)),
        TensorSpec("scale", "float64", (3,), constant=True),
    )
    arrays = {
        "p": rows([0.25, 0.75], [1, 0]),
        "image": np.array([[[1], [2]], [[3], [4]]], np.int8),
        "wave": np.array([[1 + 2j], [3 - 4j]], np.complex64),
        "half": np.array([0.5, np.nan], np.float16),
        "fires": np.array([True, False]),
        "scale": np.array([1.0, 2, 3]),
    }
    got = trees(arrays, model_version(outputs=specs))
    assert got["scale"] == {"scale": [[1, 2, 3]]}
    branches = got["predictions"]
    assert branches.pop("half")[0] == 0.5
    assert branches == {
        "p": [[0.25, 0.75], [1, 0]],
        "image": [[[1], [2]], [[3], [4]]],
        "wave": [[[1, 2]], [[3, -4]]],
        "fires": [True, False],
    }
    labelled = trees(arrays, model_version(outputs=specs, labels=("no", "yes")))
    assert list(labelled["predictions"])[:2] == ["p_no", "p_yes"]


def test_labels_name_branches_as_formulas_can() -> None:
    specs = [TensorSpec("StatefulPartitionedCall:0", "float32", (None, 2))]
    outputs = {"StatefulPartitionedCall:0": rows([0.25, 0.75])}
    for labels, expected in [
        (("higgs", "H -> b b"), {"higgs": [0.25], "H_b_b": [0.75]}),
        (("a/b", "a b"), {"a_b_0": [0.25], "a_b_1": [0.75]}),
        (("0", "-1"), {"_0": [0.25], "_1": [0.75]}),
        (("no",), {"StatefulPartitionedCall_0": [[0.25, 0.75]]}),
        (("no", "no"), {"StatefulPartitionedCall_0": [[0.25, 0.75]]}),
    ]:
        version = model_version(outputs=specs, labels=labels)
        assert trees(outputs, version) == {"predictions": expected}


def test_many_rows_are_several_baskets() -> None:
    outputs = {"y": np.arange(1_000_000, dtype=np.float32).reshape(-1, 1)}
    encoded = RootCodec(LIMIT).encode_other(outputs, bound(rows([1, 2])), model_version())
    with uproot.open(io.BytesIO(encoded.whole())) as file:
        branch = file["predictions/y"]
        assert branch.num_baskets == 4
        np.testing.assert_array_equal(branch.array(library="np"), outputs["y"][:, 0])


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (np.array([b"a"], object), "output 'y' is text, a branch has numbers; ask for JSON"),
        (np.zeros((1, 0), np.float32), "output 'y' has no numbers, which no branch can hold"),
    ],
)
def test_what_a_tree_cannot_hold_is_told(output: Array, told: str) -> None:
    with pytest.raises(NotAcceptable, match=told):
        trees({"y": output}, model_version())
