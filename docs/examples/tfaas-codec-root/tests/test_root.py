from __future__ import annotations

from typing import Any

import awkward as ak
import msgspec
import numpy as np
import pytest
import uproot
from files import (
    JETS,
    LIMIT,
    NAMED,
    NAN,
    VERSION,
    bound,
    branches,
    features,
    file,
    ntuple,
    read,
    rows,
)
from tfaas_codec_root import tfaas_register_codecs
from tfaas_codec_root.codec import ROOT, RootCodec
from tfaas_codec_root.writing import written

from tfaas_core.config import Config
from tfaas_core.errors import BadBody, DoesNotFit
from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import Array, BatchAxis, Bound, TensorSpec
from tfaas_core.testing.codec import CodecContract, Sample
from tfaas_core.testing.models import model_version


def answer(array: Array) -> bytes:
    return written({"y": array}, VERSION)


class TestRoot(CodecContract):
    make_codec = staticmethod(lambda: RootCodec(LIMIT))
    samples = (
        Sample(
            file(Events=branches(a=[1], b=[2.5])),
            VERSION,
            bound(rows([1, 2.5])),
            {"y": rows([0.1])},
            answer(rows([0.1])),
        ),
        Sample(
            ntuple(branches(eta=[2.0, 4], pt=np.array([1, 3], np.int8), mass=[5, 6])),
            NAMED,
            bound(rows([1, 2], [3, 4])),
            {"y": rows([0.5], [0.25])},
            answer(rows([0.5], [0.25])),
            query=[("model", "vk"), ("label", "best"), ("tree", "Events")],
        ),
        Sample(
            file(uproot.ZLIB(4), Events=branches(a=[1.0, np.nan], b=[np.nan, 2])),
            NAN,
            bound(rows([1, np.nan], [np.nan, 2])),
            {"y": rows([np.nan], [1])},
            answer(rows([np.nan], [1])),
        ),
        Sample(
            ntuple(branches(a=np.empty(0), b=np.empty(0, np.int8))),
            VERSION,
            Bound({"x": np.zeros((0, 2), np.float32)}, rows=0, single=False, whole=True),
            {"y": np.zeros((0, 1), np.float32)},
            answer(np.zeros((0, 1), np.float32)),
        ),
        Sample(
            file(Events=branches(MET=[7.0, 8, 9], Jet_pt=JETS)),
            features("MET", "Jet_pt_0", "Jet_pt[1]", pad={"Jet_pt": {"value": -1}}),
            bound(rows([7, 30, 20], [8, -1, -1], [9, 50, -1])),
            {"y": rows([1], [2], [3])},
            answer(rows([1], [2], [3])),
        ),
    )


def test_the_plugin_registers_the_codec() -> None:
    (codec,) = tfaas_register_codecs(Config())
    assert codec.name == "root"
    assert codec.media_types == (ROOT,)


@pytest.mark.parametrize("write", [lambda values, **how: file(Events=values, **how), ntuple])
@pytest.mark.parametrize(
    "compression", [None, uproot.ZLIB(1), uproot.LZMA(1), uproot.LZ4(1), uproot.ZSTD(1)]
)
def test_baskets_and_clusters_are_one_tree_however_compressed(write: Any, compression: Any) -> None:
    array = np.arange(600, dtype=np.float64).reshape(300, 2)
    values = branches(a=array[:, 0], b=array[:, 1])
    got = read(write(values, compression=compression, extend=3))
    np.testing.assert_array_equal(got.arrays["x"], np.tile(array, (3, 1)))


@pytest.mark.parametrize("write", [lambda values: file(Events=values), ntuple])
def test_branches_of_every_dtype_are_numbers(write: Any) -> None:
    names = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
    for name in (*names, "float32", "float64", "bool"):
        got = read(write(branches(pt=np.array([0, 1], name), eta=[2, 3])), NAMED)
        assert got.arrays["x"].tolist() == [[0, 2], [1, 3]]


def test_large_integers_keep_their_digits() -> None:
    version = model_version([TensorSpec("x", "int64", (None, 2))])
    got = read(file(Events=branches(a=[9007199254740993], b=[3.0])), version)
    assert got.arrays["x"].tolist() == [[9007199254740993, 3]]


@pytest.mark.parametrize("write", [lambda values: file(Events=values), ntuple])
def test_inputs_are_branches_of_their_names(write: Any) -> None:
    specs = [
        TensorSpec("Jet_pt", "float32", (None, 2)),
        TensorSpec("image", "int8", (None, 2, 2)),
        TensorSpec("MET", "float64", (None,)),
        TensorSpec("fires", "bool", (None, 1)),
    ]
    version = model_version(specs, params={"root": {"pad": {"Jet_pt": {"value": -1}}}})
    values = branches(
        Jet_pt=JETS,
        image=np.arange(12).reshape(3, 4),
        MET=np.array([1, 2, 3], np.float32),
        fires=[True, False, True],
        unused=[1, 2, 3],
    )
    got = read(write(values), version)
    assert got.rows == 3
    assert got.arrays["Jet_pt"].tolist() == [[30, 20], [-1, -1], [50, -1]]
    assert got.arrays["image"].tolist()[1] == [[4, 5], [6, 7]]
    assert got.arrays["MET"].tolist() == [1, 2, 3]
    assert got.arrays["fires"].tolist() == [[True], [False], [True]]
    nothing = read(write({name: each[:0] for name, each in values.items()}), version)
    assert nothing.whole
    assert nothing.arrays["image"].shape == (0, 2, 2)


def test_lists_without_padding_are_equally_long_axes() -> None:
    version = model_version([TensorSpec("pt", "float32", (None, None))])
    equal = ak.Array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    assert read(file(Events=branches(pt=equal)), version).arrays["pt"].shape == (2, 3)
    padded = msgspec.structs.replace(version, params={"root": {"pad": {"pt": {"length": 4}}}})
    got = read(file(Events=branches(pt=JETS)), padded).arrays["pt"]
    assert got.tolist() == [[30, 20, 10, 0], [0, 0, 0, 0], [50, 0, 0, 0]]


def test_without_features_all_branches_are_the_row() -> None:
    version = model_version(
        [TensorSpec("x", "float32", (None, 4))],
        params={"root": {"pad": {"Jet_pt": {"length": 2, "value": -9.5}}}},
    )
    # uproot has written the number of jets, too, since ROOT reads no array without it.
    body = file(Events=branches(MET=[1.0, 2, 3], Jet_pt=JETS, run=[7, 8, 9]))
    got = read(body, version).arrays["x"]
    assert got.tolist() == [[1, 30, 20, 7], [2, -9.5, -9.5, 8], [3, 50, -9.5, 9]]


def test_fixed_arrays_are_elements_too() -> None:
    body = file(Events=branches(p=np.arange(6.0).reshape(2, 3)))
    assert read(body, features("p_2", "p[0]")).arrays["x"].tolist() == [[2, 0], [5, 3]]


def test_a_model_without_a_batch_axis_takes_one_entry() -> None:
    version = model_version([TensorSpec("pt", "float32", (None,))], batch=BatchAxis.NONE)
    assert read(file(Events=branches(pt=JETS[:1])), version).arrays["pt"].tolist() == [30, 20, 10]
    with pytest.raises(DoesNotFit, match="takes no batches, send a tree of one entry"):
        read(file(Events=branches(pt=JETS)), version)


def test_a_tree_is_chosen_by_the_request_or_by_the_params() -> None:
    body = file(**{"Events": branches(a=[1], b=[2]), "dir/Runs": branches(a=[3], b=[4])})
    chosen = model_version(params={"root": {"tree": "Events"}})
    assert read(body, chosen).arrays["x"].tolist() == [[1, 2]]
    assert read(body, chosen, tree="dir/Runs").arrays["x"].tolist() == [[3, 4]]
    with pytest.raises(DoesNotFit, match="has 2 trees: 'Events', 'dir/Runs'; choose one by"):
        read(body)
    with pytest.raises(DoesNotFit, match="has no tree 'Lumi', it has 'Events', 'dir/Runs'"):
        read(body, chosen, tree="Lumi")


@pytest.mark.parametrize(
    ("values", "version", "told"),
    [
        ({"pt": [1.0], "mass": [2.0]}, NAMED, "branch 'eta' is missing .*; there are 'pt', 'mass'"),
        ({"pt": [1.0], "etta": [2.0]}, NAMED, "'eta' is missing .*; there is 'etta'"),
        ({"pt": [1.0, np.nan], "eta": [1, 2]}, NAMED, "row 1, branch 'pt' is NaN.*\"accept\""),
        ({"pt": [1e300], "eta": [2.0]}, NAMED, r"row 0, branch 'pt' is 1e\+300"),
        ({"pt": JETS, "eta": [1, 2, 3]}, NAMED, "has a list for each entry; name .*'pt_0' and so"),
        ({"pt": [[1, 2]], "eta": [2]}, NAMED, "'pt' has 2 numbers for each entry; name its"),
        ({"a": [1], "b": [2], "c": [3]}, VERSION, 'have 3 numbers .* takes 2; "features"'),
        ({"pt": JETS}, features("pt_1"), "row 1, branch 'pt' has 0 of the 2 elements that"),
        ({"pt": JETS}, features("pt_2", pad={"pt": {"length": 2}}), "has 2 elements for .*'pt_2'"),
        (
            {"pt": [[1, 2]]},
            features("pt_2"),
            "'pt' has 2 numbers .*, none of which is feature 'pt_2'",
        ),
        ({"pt": JETS}, VERSION, "row 1, branch 'pt' has 0 elements, row 0 has 3"),
        ({"x": JETS}, VERSION, "row 1, branch 'x' has 0 elements, row 0 has 3"),
        ({"x": [[1, 2, 3]]}, VERSION, r"branch 'x' has 3 numbers for .*, the model takes \[2\]"),
        (
            {"pt": JETS},
            features("pt_0", pad={"pt": {"value": 1e300}}),
            r"params.root.pad of branch 'pt' is 1e\+300",
        ),
        ({"x": [1]}, model_version([TensorSpec("x", "string", (None,))]), "'x' is of text, which"),
        ({"x": [1]}, model_version([TensorSpec("x", "bool", (None,))]), "'x' is int64, .*booleans"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(
    values: dict[str, Any], version: ModelVersion, told: str
) -> None:
    with pytest.raises(DoesNotFit, match=told):
        read(file(Events=branches(**values)), version)


@pytest.mark.parametrize(
    ("root", "told"),
    [
        ("Events", "params.root of model 'vk' is wrong: Expected `object`, got `str`"),
        ({"tree": 1}, r"Expected `str`, got `int` - at `\$.tree`"),
        ({"pads": {}}, "unknown field `pads`"),
        ({"pad": {"pt": {"length": 0}}}, "a length is a number from 1 to"),
        ({"pad": {"pt": {"value": 2**70}}}, "a value is an integer of 64 bits"),
        ({"pad": {"pt": {"value": None}}}, "Expected `int | float`, got `null`"),
    ],
)
def test_params_that_make_no_sense_are_told(root: Any, told: str) -> None:
    with pytest.raises(DoesNotFit, match=told):
        read(file(Events=branches(a=[1], b=[2])), model_version(params={"root": root}))


def test_text_is_told() -> None:
    for body in (
        file(Events=branches(pt=ak.Array(["a", "b"]), eta=[1, 2])),
        ntuple(branches(pt=ak.Array(["a", "b"]), eta=[1, 2])),
    ):
        with pytest.raises(DoesNotFit, match=r"'pt' of .* is of .*; send numbers or booleans"):
            read(body, NAMED)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "the body is empty"),
        (b"/etc/passwd", "it does not begin with 'root'"),
        (b"https://example.org/f.root:Events", "it does not begin with 'root'"),
        (b"root://eospublic.cern.ch//f.root" * 9, "the body is cut|is damaged"),
        (b"root" + bytes(200), "has no TTree and no RNTuple"),
        (b"root" + bytes(60) + b"x" * 300, "has no TTree and no RNTuple"),
        (file(Events=branches(a=[1], b=[2]))[:-1], "the body is cut: it has .* bytes, the"),
    ],
)
def test_what_cannot_be_read_is_told(body: bytes, told: str) -> None:
    with pytest.raises((BadBody, DoesNotFit), match=told):
        read(body)
