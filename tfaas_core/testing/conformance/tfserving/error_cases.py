"""Cases: what is wrong with a request for a prediction is the client's error, and said in JSON."""

from __future__ import annotations

from typing import Any

from tfaas_core.testing.conformance.case import Case, Group, probe
from tfaas_core.testing.conformance.exchange import changed, post
from tfaas_core.testing.conformance.expect import (
    OK,
    REFUSED,
    error_with,
    refuses,
    status,
)
from tfaas_core.testing.conformance.models import AFFINE, EXAMPLES, PAIR
from tfaas_core.testing.conformance.tfserving.asks import (
    affine_rows,
    ask_verb,
    columns,
    pair_rows,
)

_errors = Group("tfserving.errors")
_DEEP = 100_000
_ROW = {"instances": [[1, 2, 3]]}
_UNKNOWN = "/v1/models/conformance_unknown"


def _wrong(name: str, sentence: str, document: Any, *words: str, model: str = AFFINE) -> list[Case]:
    """The status MUST be 400, and the error SHOULD say one of ``words``."""
    ask = ask_verb("predict", model, document)
    cases = [_errors.must(name, sentence, ask, *refuses(400))]
    if words:
        said = (status(400), error_with(*words))
        cases.append(_errors.should(f"{name}_says", f"{sentence} The error says so.", ask, *said))
    return cases


ERROR_OF_BODY_CASES = (
    *_wrong("empty", "An empty body is refused.", b"", "JSON Parse error"),
    *_wrong("no_json", "A body that is no JSON is refused.", '{"instances": [', "JSON Parse error"),
    *_wrong("no_object", "JSON that is no object is refused.", [1, 2], "object"),
    *_wrong("no_utf8", "A body that is no UTF-8 is refused.", b'{"instances": ["\xff\xfe"]}'),
    _errors.must(
        "deep",
        f"JSON of {_DEEP} nested lists is no error of the server.",
        ask_verb("predict", AFFINE, '{"instances": ' + "[" * _DEEP + "]" * _DEEP + "}"),
        REFUSED,
    ),
    *_wrong(
        "both_formats",
        "A request has instances or inputs, and not both.",
        {"instances": [[1, 2, 3]], "inputs": [[1, 2, 3]]},
        "inputs",
    ),
    *_wrong("no_format", "A request has instances or inputs.", {"rows": [[1, 2, 3]]}, "Missing"),
    *_wrong("no_list", "Instances are a list.", {"instances": {"x": 1}}, "list"),
    *_wrong("no_rows", "There is one instance at least.", {"instances": []}, "No values"),
    *_wrong(
        "signature_no_text",
        "signature_name is a string.",
        {"instances": [[1, 2, 3]], "signature_name": 1},
        "signature_name",
    ),
    *_wrong(
        "unknown_signature",
        "A signature is one of the model's.",
        {"instances": [[1, 2, 3]], "signature_name": "nobody"},
        "nobody",
    ),
)

_A_ROW: dict[str, Any] = {"a": [1, 2], "b": [3, 4]}


def _wrong_rows(name: str, sentence: str, *rows: Any, says: str = "") -> list[Case]:
    document = {"instances": list(rows)}
    return _wrong(name, sentence, document, *([says] if says else []), model=PAIR)


def _wrong_columns(name: str, sentence: str, inputs: Any, says: str = "") -> list[Case]:
    return _wrong(name, sentence, {"inputs": inputs}, *([says] if says else []), model=PAIR)


ERROR_OF_VALUES_CASES = (
    *_wrong_rows("plain_rows", "With several inputs, rows are objects.", [1, 2], says="object"),
    *_wrong_rows("missing_input", "Each row has all inputs.", {"a": [1, 2]}, says="input"),
    *_wrong_rows(
        "unknown_input", "Each row has no inputs but those of the signature.", {**_A_ROW, "c": [1]}
    ),
    *_wrong_rows("missing_later", "Each later row has all inputs, too.", _A_ROW, {"a": [1, 2]}),
    *_wrong_rows("mixed", "All rows are objects, or none.", _A_ROW, [1, 2], says="object"),
    *_wrong(
        "mixed_plain",
        "If the first row is none, no row is an object.",
        {"instances": [[1], {"x": [1]}]},
    ),
    *_wrong("ragged", "All rows have the same shape.", {"instances": [[1, 2, 3], [1, 2]]}),
    *_wrong(
        "ragged_within",
        "The lists within a row have the same shape.",
        {"instances": [[[1, 2], [3]]]},
    ),
    *_wrong("list_or_number", "A list is no number.", {"instances": [[1, [2], 3]]}),
    *_wrong("number_or_list", "A number is no list.", {"instances": [[[1], 2, [3]]]}),
    *_wrong(
        "ragged_columns", "Tensors have the same shape at each level.", {"inputs": [[1, 2], [3]]}
    ),
    *_wrong_columns(
        "plain_columns", "With several inputs, columns are named.", [[1, 2]], says="object"
    ),
    *_wrong_columns(
        "missing_column", "Columns of all inputs are there.", {"a": [[1, 2]]}, says="b"
    ),
    *_wrong_columns("no_column", "No column is null.", {"a": [[1, 2]], "b": None}),
    *_wrong_columns(
        "graph",
        "What the graph cannot compute is the client's error.",
        {"a": [[1, 2]], "b": [[1, 2, 3]]},
    ),
    _errors.must(
        "scalar_output",
        "In row format, an output without axes is refused.",
        affine_rows([1, 2, 3], signature_name="total"),
        *refuses(400),
    ),
    _errors.must(
        "uneven_outputs",
        "In row format, outputs of other sizes than the batch are refused.",
        affine_rows([1, 2, 3], [4, 5, 6], signature_name="uneven"),
        *refuses(400),
    ),
    _errors.must(
        "goes_on",
        "After an error, the server answers as before.",
        probe(pair_rows([1]), REFUSED),
        probe(columns(AFFINE, [[1, 2, 3]]), OK),
    ),
)

_names = Group("tfserving.names")


def _at(path: str, model: str = AFFINE) -> Any:
    return changed(post(path, _ROW), model=model)


NAME_CASES = (
    _names.must(
        "model",
        "A model that is not there is a 404.",
        post(f"{_UNKNOWN}:predict", _ROW),
        *refuses(404),
    ),
    _names.should(
        "model_says",
        "The error of a model that is not there says so.",
        post(f"{_UNKNOWN}:predict", _ROW),
        status(404),
        error_with("not found"),
    ),
    _names.must(
        "version",
        "A version that is not there is a 404.",
        _at(f"/v1/models/{AFFINE}/versions/77:predict"),
        *refuses(404),
    ),
    _names.must(
        "label",
        "A label that is not there is a 400.",
        _at(f"/v1/models/{AFFINE}/labels/nobody:predict"),
        *refuses(400),
    ),
    _names.should(
        "label_says",
        "The error names a label that is not there.",
        _at(f"/v1/models/{AFFINE}/labels/nobody:predict"),
        error_with("nobody"),
    ),
    _names.must(
        "no_version",
        "A version is a number.",
        _at(f"/v1/models/{AFFINE}/versions/newest:predict"),
        *refuses(400, 404),
    ),
    _names.must(
        "huge_version",
        "A version beyond 64 bits is refused.",
        _at(f"/v1/models/{AFFINE}/versions/{10**30}:predict"),
        *refuses(400, 404),
    ),
    _names.must(
        "classify",
        "A model that is not there cannot be asked to classify, either.",
        post(f"{_UNKNOWN}:classify", {"examples": [{"x": 1.0}]}),
        *refuses(404),
    ),
    _names.must(
        "regress",
        "A version that is not there cannot be asked to regress.",
        changed(
            post(f"/v1/models/{EXAMPLES}/versions/77:regress", {"examples": [{"x": 1.0}]}),
            model=EXAMPLES,
        ),
        *refuses(404),
    ),
    _names.must(
        "no_json_before",
        "The body is read before the model is looked up.",
        post(f"{_UNKNOWN}:predict", "{"),
        *refuses(400),
    ),
)
