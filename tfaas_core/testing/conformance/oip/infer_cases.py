"""Cases: inference by JSON."""

from __future__ import annotations

from typing import Any

from tfaas_core.testing.conformance.case import Group, Probe, probe
from tfaas_core.testing.conformance.exchange import changed
from tfaas_core.testing.conformance.expect import (
    KEPT_ALIVE,
    OK,
    has_json,
    header,
    json_where,
    no_header,
    refuses,
)
from tfaas_core.testing.conformance.models import AFFINE, EXAMPLES, PAIR
from tfaas_core.testing.conformance.oip.asks import (
    ADDED,
    DIFFERENCE,
    ROW,
    SUM,
    A,
    B,
    affine,
    infer,
    pair,
    wanted_output,
)
from tfaas_core.testing.conformance.oip.outputs import outputs
from tfaas_core.testing.conformance.oip.tensors import Tensor

_MANY = 5_000
_JSON = "application/json"
_infer = Group("oip.infer")


def _data(data: Any) -> dict[str, Any]:
    return {**ROW.json, "shape": [2, 3], "data": data}


_SIX = outputs(Tensor("y", "FP32", [2, 3], [3, 4, 5, 6, 7, 8]))


def _with(**parameters: Any) -> Probe:
    return probe(affine(1, 2, 3, parameters=parameters), outputs(ADDED))


INFER_CASES = (
    _infer.must(
        "row",
        "An answer has each output's name, datatype and shape, and its values.",
        affine(1, 2, 3),
        OK,
        outputs(ADDED),
    ),
    _infer.must(
        "batch",
        "A shape is that of the values that were sent.",
        affine(1, 2, 3, 4, 5, 6),
        _SIX,
    ),
    _infer.must(
        "model",
        "An answer names the model, and the version that answered, as a string.",
        affine(1, 2, 3, version=1),
        OK,
        has_json({"model_name": AFFINE, "model_version": "1"}),
    ),
    _infer.must(
        "first_version",
        "A version that the path names answers.",
        affine(1, 2, 3, version=1),
        outputs(Tensor("y", "FP32", [1, 3], [2, 3, 4])),
    ),
    _infer.must(
        "second_version",
        "Another version answers, too, at the same time.",
        affine(1, 2, 3, version=2),
        outputs(ADDED),
    ),
    _infer.should(
        "newest_version",
        "Without a version, the newest one answers, and says so.",
        affine(1, 2, 3),
        OK,
        has_json({"model_version": "2"}),
    ),
    _infer.must(
        "flat", "Values may be flat, row after row.", infer(AFFINE, _data([1, 2, 3, 4, 5, 6])), _SIX
    ),
    _infer.must(
        "nested",
        "Values may be nested as the shape is.",
        infer(AFFINE, _data([[1, 2, 3], [4, 5, 6]])),
        _SIX,
    ),
    _infer.should(
        "nested_otherwise",
        "However values are nested, it is their number and order that counts.",
        infer(AFFINE, _data([[1, 2], [3, 4], [5, 6]])),
        _SIX,
    ),
    _infer.must(
        "answer_is_flat",
        "An answer's values are a flat list.",
        affine(1, 2, 3, 4, 5, 6),
        OK,
        json_where("data of 6 numbers", lambda d: len(d["outputs"][0]["data"]) == 6),
    ),
    _infer.must(
        "id",
        "The id of a request is that of its answer.",
        affine(1, 2, 3, id="first of all"),
        OK,
        has_json({"id": "first of all"}),
    ),
    _infer.must(
        "unicode_id",
        "An id may have any letters.",
        affine(1, 2, 3, id="ключ ☃"),
        OK,
        has_json({"id": "ключ ☃"}),
    ),
    _infer.must(
        "no_id",
        "Without an id, that of the answer is a string, or there is none.",
        affine(1, 2, 3),
        OK,
        json_where("no id, or a string", lambda d: isinstance(d.get("id", ""), str)),
    ),
    _infer.must(
        "all_outputs",
        "Without a list of outputs, there are all of them.",
        pair(),
        outputs(SUM, DIFFERENCE),
    ),
    _infer.must(
        "no_outputs",
        "An empty list of outputs asks for all of them.",
        pair(outputs=[]),
        outputs(SUM, DIFFERENCE),
    ),
    _infer.must(
        "one_output",
        "A list of outputs asks for these alone.",
        pair(outputs=[wanted_output("sum")]),
        outputs(SUM),
    ),
    _infer.must(
        "both_outputs",
        "Outputs may be asked for in any order.",
        pair(outputs=[wanted_output("difference"), wanted_output("sum")]),
        outputs(SUM, DIFFERENCE),
    ),
    _infer.must(
        "any_order", "Inputs may be in any order.", infer(PAIR, B, A), outputs(SUM, DIFFERENCE)
    ),
    _infer.must(
        "further_keys",
        "Keys that the protocol does not know are ignored.",
        affine(1, 2, 3, model_name="another", note={"a": [1]}),
        outputs(ADDED),
    ),
    _infer.must(
        "parameters",
        "Parameters of a request may be strings, numbers and booleans.",
        _with(note="text", count=3, share=0.5, on=True),
    ),
    _infer.should(
        "no_parameter",
        "Parameters of a request are no lists and no objects.",
        probe(affine(1, 2, 3, parameters={"note": [1]}), *refuses()),
        probe(affine(1, 2, 3, parameters={"note": {"a": 1}}), *refuses()),
    ),
    _infer.must(
        "timeout_and_priority",
        "timeout, in microseconds, and priority may be given.",
        _with(timeout=20_000_000, priority=0),
    ),
    _infer.should(
        "sequence",
        "A model without state does not mind the parameters of sequences.",
        _with(sequence_id=7, sequence_start=True, sequence_end=True),
    ),
    _infer.should(
        "parameters_of_an_input",
        "An input's parameters that a server does not know are ignored.",
        infer(AFFINE, {**ROW.json, "parameters": {"note": "text"}}),
        outputs(ADDED),
    ),
    _infer.should(
        "no_rows",
        "An axis may be 0 long; then there are no values.",
        infer(AFFINE, Tensor("x", "FP32", [0, 3], [])),
        outputs(Tensor("y", "FP32", [0, 3], [])),
    ),
    _infer.should(
        "many_rows",
        f"There may be {_MANY} rows.",
        affine(*[1.0] * 3 * _MANY),
        OK,
        has_json({"outputs": [{"shape": [_MANY, 3]}]}),
    ),
    _infer.must(
        "content_type",
        "Whatever Content-Type a request has, it is read as what it is.",
        probe(
            changed(affine(1, 2, 3), {"Content-Type": "application/x-www-form-urlencoded"}),
            outputs(ADDED),
        ),
        probe(
            changed(affine(1, 2, 3), {"Content-Type": "application/octet-stream"}), outputs(ADDED)
        ),
        probe(
            changed(affine(1, 2, 3), {"Content-Type": "application/json; charset=utf-8"}),
            outputs(ADDED),
        ),
    ),
    _infer.must(
        "chunked",
        "The body may come in chunks.",
        changed(affine(1, 2, 3), is_chunked=True),
        outputs(ADDED),
    ),
    _infer.must(
        "query",
        "A query is ignored.",
        changed(affine(1, 2, 3), path=f"/v2/models/{AFFINE}/infer?trace=1"),
        outputs(ADDED),
    ),
    _infer.must(
        "is_json",
        "An answer without binary tensors is JSON, and says so; no length of a part of it is told.",
        affine(1, 2, 3),
        OK,
        header("Content-Type", _JSON),
        no_header("Inference-Header-Content-Length"),
    ),
    _infer.should(
        "kept_alive",
        "A connection is kept for further requests.",
        affine(1, 2, 3),
        outputs(ADDED),
        KEPT_ALIVE,
    ),
    _infer.must(
        "unreadable",
        "What a model cannot read is the client's error.",
        infer(EXAMPLES, Tensor("inputs", "BYTES", [1], ["no Example"])),
        *refuses(),
    ),
)
