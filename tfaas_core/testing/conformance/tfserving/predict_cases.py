"""Cases: predict, in row and in column format."""

from __future__ import annotations

from tfaas_core.testing.conformance.case import Group, probe
from tfaas_core.testing.conformance.exchange import changed
from tfaas_core.testing.conformance.expect import OK, body_has, header, is_json
from tfaas_core.testing.conformance.models import AFFINE, CANARY, PAIR, STABLE
from tfaas_core.testing.conformance.tfserving.asks import (
    affine_rows,
    ask_verb,
    columns,
    pair_rows,
)

_rows = Group("tfserving.rows")
_ADDED = is_json({"predictions": [[3.0, 4.0, 5.0]]})
_MANY = 5_000

_PAIR_ROW = {"a": [10, 20], "b": [1, 2]}
_PAIR_ANSWER = {"sum": [11, 22], "difference": [9, 18]}

ROW_CASES = (
    _rows.must(
        "plain",
        "A plain value is a row of the only input; its answer is the value of the only output.",
        affine_rows([1, 2, 3]),
        OK,
        _ADDED,
    ),
    _rows.must(
        "batch",
        "There is an answer for each row.",
        affine_rows([1, 2, 3], [4, 5, 6]),
        OK,
        is_json({"predictions": [[3.0, 4.0, 5.0], [6.0, 7.0, 8.0]]}),
    ),
    _rows.must("named", "A row may name its input.", affine_rows({"x": [1, 2, 3]}), OK, _ADDED),
    _rows.must(
        "several",
        "With several inputs, each row is an object; so is its answer, with several outputs.",
        pair_rows(_PAIR_ROW),
        OK,
        is_json({"predictions": [_PAIR_ANSWER]}),
    ),
    _rows.must(
        "several_rows",
        "There may be several of these rows.",
        pair_rows(_PAIR_ROW, {"a": [0, 0], "b": [1, 1]}),
        OK,
        is_json({"predictions": [_PAIR_ANSWER, {"sum": [1, 1], "difference": [-1, -1]}]}),
    ),
    _rows.must(
        "default_signature",
        "The signature serving_default may be named.",
        affine_rows([1, 2, 3], signature_name="serving_default"),
        OK,
        _ADDED,
    ),
    _rows.must(
        "empty_signature",
        'A signature_name of "" is serving_default.',
        affine_rows([1, 2, 3], signature_name=""),
        OK,
        _ADDED,
    ),
    _rows.must(
        "signature",
        "Another signature of the model may be named.",
        affine_rows(2, 4, signature_name="inverse"),
        OK,
        is_json({"predictions": [0.5, 0.25]}),
    ),
    _rows.must(
        "further_keys",
        "Keys that are not known are ignored.",
        affine_rows([1, 2, 3], note={"a": [1]}),
        OK,
        _ADDED,
    ),
    _rows.must(
        "other_rank",
        "The shape that the signature declares is not enforced: what the graph takes is run.",
        affine_rows(1.0, 2.0, 5.0),
        OK,
        is_json({"predictions": [3.0, 4.0, 7.0]}),
    ),
    _rows.must(
        "other_size",
        "The sizes that the signature declares are not enforced, either.",
        affine_rows([1.0, 2.0], [3.0, 4.0]),
        OK,
        is_json({"predictions": [[3.0, 4.0], [5.0, 6.0]]}),
    ),
    _rows.should(
        "deeper",
        "Rows may be nested deeper, too.",
        affine_rows([[[1.0]]], [[[2.0]]]),
        OK,
        is_json({"predictions": [[[[3.0]]], [[[4.0]]]]}),
    ),
    _rows.should(
        "empty_rows",
        "An empty list is an axis of 0.",
        affine_rows([], []),
        OK,
        is_json({"predictions": [[], []]}),
    ),
    _rows.should(
        "many",
        f"There may be {_MANY} rows.",
        affine_rows(*[[1, 2, 3]] * _MANY),
        OK,
        is_json({"predictions": [[3.0, 4.0, 5.0]] * _MANY}),
    ),
    _rows.should(
        "is_json",
        "An answer says that it is JSON.",
        affine_rows([1, 2, 3]),
        OK,
        header("Content-Type", "application/json"),
    ),
    _rows.must(
        "looks_like_floats",
        "Floats are written with a point or an exponent, though they be whole.",
        affine_rows([1, 2, 3]),
        OK,
        body_has(r"\[\s*3(\.0*|e\+?0*)\s*,"),
    ),
)

_columns = Group("tfserving.columns")

COLUMN_CASES = (
    _columns.must(
        "plain",
        "A plain list is the tensor of the only input.",
        columns(AFFINE, [[1, 2, 3]]),
        OK,
        is_json({"outputs": [[3.0, 4.0, 5.0]]}),
    ),
    _columns.must(
        "named",
        "The only input may be named.",
        columns(AFFINE, {"x": [[1, 2, 3]]}),
        OK,
        is_json({"outputs": [[3.0, 4.0, 5.0]]}),
    ),
    _columns.must(
        "several",
        "Of several inputs, each one is a tensor; so is each of several outputs.",
        columns(PAIR, {"a": [[10, 20]], "b": [[1, 2]]}),
        OK,
        is_json({"outputs": {"sum": [[11, 22]], "difference": [[9, 18]]}}),
    ),
    _columns.must(
        "other_sizes",
        "Inputs need not agree in any axis.",
        columns(PAIR, {"a": [[1, 2], [3, 4]], "b": [[1, 1]]}),
        OK,
        is_json({"outputs": {"sum": [[2, 3], [4, 5]], "difference": [[0, 1], [2, 3]]}}),
    ),
    _columns.must(
        "scalar",
        "A bare number is a tensor without axes, and is answered by one.",
        columns(AFFINE, 4, signature_name="scalar"),
        OK,
        is_json({"outputs": 8.0}),
    ),
    _columns.must(
        "scalar_output",
        "An output without axes is a bare number.",
        columns(AFFINE, [[1, 2, 3], [4, 5, 6]], signature_name="total"),
        OK,
        is_json({"outputs": 21.0}),
    ),
    _columns.must(
        "uneven_outputs",
        "Outputs need not agree in any axis.",
        columns(AFFINE, [[1, 2, 3], [4, 5, 6]], signature_name="uneven"),
        OK,
        is_json(
            {"outputs": {"all": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "first": [[1.0, 2.0, 3.0]]}}
        ),
    ),
    _columns.must(
        "other_rank",
        "The shape that the signature declares is not enforced.",
        columns(AFFINE, [1.0, 2.0]),
        OK,
        is_json({"outputs": [3.0, 4.0]}),
    ),
    _columns.should(
        "unknown_names",
        "Names of inputs that the model does not have are ignored.",
        columns(PAIR, {"a": [[10, 20]], "b": [[1, 2]], "nobody": [1]}),
        OK,
        is_json({"outputs": {"sum": [[11, 22]], "difference": [[9, 18]]}}),
    ),
    _columns.should(
        "empty",
        "An empty list is an axis of 0.",
        columns(AFFINE, []),
        OK,
        is_json({"outputs": []}),
    ),
)

_versions = Group("tfserving.versions")
_FIRST = is_json({"predictions": [[2.0, 3.0, 4.0]]})
_ONE_ROW = {"instances": [[1, 2, 3]]}

VERSION_CASES = (
    _versions.must(
        "first",
        "A version that the path names answers.",
        ask_verb("predict", AFFINE, _ONE_ROW, version=1),
        OK,
        _FIRST,
    ),
    _versions.must(
        "second",
        "Another version answers, too, at the same time.",
        ask_verb("predict", AFFINE, _ONE_ROW, version=2),
        OK,
        _ADDED,
    ),
    _versions.should(
        "newest",
        "Without a version, the one of the highest number answers.",
        affine_rows([1, 2, 3]),
        OK,
        _ADDED,
    ),
    _versions.should(
        "zeros",
        "Zeros before a version's number do not count.",
        changed(
            ask_verb("predict", AFFINE, _ONE_ROW, version=1),
            path=f"/v1/models/{AFFINE}/versions/001:predict",
        ),
        OK,
        _FIRST,
    ),
    _versions.must(
        "label",
        "A label stands for the version that it was given to.",
        ask_verb("predict", AFFINE, _ONE_ROW, label=STABLE),
        OK,
        _FIRST,
    ),
    _versions.must(
        "other_label",
        "Several labels stand for several versions.",
        probe(ask_verb("predict", AFFINE, _ONE_ROW, label=CANARY), OK, _ADDED),
        probe(ask_verb("predict", AFFINE, _ONE_ROW, label=STABLE), OK, _FIRST),
    ),
    _versions.must(
        "columns",
        "Versions and labels are there for both formats.",
        probe(
            ask_verb("predict", AFFINE, {"inputs": [[1, 2, 3]]}, version=1),
            OK,
            is_json({"outputs": [[2.0, 3.0, 4.0]]}),
        ),
        probe(
            ask_verb("predict", AFFINE, {"inputs": [[1, 2, 3]]}, label=STABLE),
            OK,
            is_json({"outputs": [[2.0, 3.0, 4.0]]}),
        ),
    ),
)
