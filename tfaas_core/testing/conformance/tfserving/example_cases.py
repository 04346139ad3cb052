"""Cases: classify and regress, of examples."""

from __future__ import annotations

from typing import Any

from tfaas_core.testing.conformance.case import Case, Group
from tfaas_core.testing.conformance.expect import OK, error_with, is_json, refuses, status
from tfaas_core.testing.conformance.models import EXAMPLES
from tfaas_core.testing.conformance.tfserving.asks import ask_verb, classify, regress

_classify = Group("tfserving.classify")
_regress = Group("tfserving.regress")
_examples = Group("tfserving.examples")


def _results(*results: Any) -> Any:
    return is_json({"results": list(results)})


def _of(signature: str, **example: Any) -> Any:
    return regress(example, signature_name=signature)


CLASSIFY_CASES = (
    _classify.must(
        "pairs",
        "Each example is answered by pairs of a class and its score, in the model's order.",
        classify({"x": 0.25}),
        OK,
        _results([["low", 0.75], ["high", 0.25]]),
    ),
    _classify.must(
        "several",
        "There may be several examples.",
        classify({"x": 0.25}, {"x": 1.0}),
        OK,
        _results([["low", 0.75], ["high", 0.25]], [["low", 0.0], ["high", 1.0]]),
    ),
    _classify.must(
        "scores",
        'Without classes, the class of each is "".',
        classify({"x": 0.25}, signature_name="scores"),
        OK,
        _results([["", 0.75], ["", 0.25]]),
    ),
    _classify.must(
        "classes",
        "Without scores, the score of each is 0.",
        classify({"x": 0.25}, signature_name="classes"),
        OK,
        _results([["low", 0.0], ["high", 0.0]]),
    ),
    _classify.must(
        "other_signature",
        "A signature that gives neither classes nor scores is refused.",
        classify({"x": 0.25}, signature_name="serving_default"),
        *refuses(400),
    ),
)

REGRESS_CASES = (
    _regress.must(
        "values",
        "Each example is answered by a number.",
        regress({"x": 1.5}, {"x": -2.0}),
        OK,
        _results(3.0, -4.0),
    ),
    _regress.must(
        "column",
        "An output of shape [?, 1] is one number of each, too.",
        regress({"x": 1.5}, {"x": -2.0}, signature_name="column"),
        OK,
        _results(3.0, -4.0),
    ),
    _regress.must(
        "list",
        "A feature may be a list of values.",
        regress({"x": [1.5]}),
        OK,
        _results(3.0),
    ),
    _regress.must(
        "whole", "Whole numbers are int64 features.", _of("whole", i=7), OK, _results(7.0)
    ),
    _regress.must(
        "boolean", "Booleans are int64 features, 1 and 0.", _of("whole", i=True), OK, _results(1.0)
    ),
    _regress.must(
        "nan",
        "NaN is a float feature.",
        regress({"x": float("nan")}),
        OK,
        _results(float("nan")),
    ),
    _regress.must(
        "text", "Strings are features of bytes.", _of("length", s="four"), OK, _results(4.0)
    ),
    _regress.must(
        "b64",
        "base64 is a feature of bytes, too.",
        _of("length", s={"b64": "AAECAw=="}),
        OK,
        _results(4.0),
    ),
    _regress.must(
        "context",
        "The context's features are those of each example.",
        regress({}, {}, context={"x": 2.5}),
        OK,
        _results(5.0, 5.0),
    ),
    _regress.must(
        "context_overridden",
        "An example's own features go before those of the context.",
        regress({"x": 1.0}, {}, context={"x": 2.5}),
        OK,
        _results(2.0, 5.0),
    ),
    _regress.should(
        "further_features",
        "Features that the model does not ask for are no matter.",
        regress({"x": 1.5, "note": "text"}),
        OK,
        _results(3.0),
    ),
    _regress.must(
        "other_signature",
        "A signature that gives no numbers so named is refused.",
        regress({"x": 0.25}, signature_name="classify"),
        *refuses(400),
    ),
)


def _wrong(name: str, sentence: str, document: Any) -> Case:
    return _examples.must(name, sentence, ask_verb("regress", EXAMPLES, document), *refuses(400))


def _wrong_feature(name: str, sentence: str, value: Any) -> Case:
    return _wrong(name, sentence, {"examples": [{"x": value}]})


EXAMPLE_CASES = (
    _wrong("no_examples", "A request has examples.", {"instances": [{"x": 1.0}]}),
    _examples.should(
        "says_no_examples",
        "The error names the key that is missing.",
        ask_verb("regress", EXAMPLES, {"instances": [{"x": 1.0}]}),
        status(400),
        error_with("'examples'"),
    ),
    _wrong("no_list", "Examples are a list.", {"examples": {"x": 1.0}}),
    _wrong("empty", "There is one example at least.", {"examples": []}),
    _wrong("no_object", "Each of the examples is an object.", {"examples": [1.0]}),
    _wrong("no_json", "A body that is no JSON is refused.", '{"examples": ['),
    _wrong("context_no_object", "The context is an object.", {"examples": [{}], "context": [1]}),
    _wrong_feature("null", "null is no feature.", None),
    _wrong_feature("nested", "Values are not nested.", [[1.0]]),
    _wrong_feature("object", "An object that is no base64 is no value.", {"a": 1}),
    _wrong_feature("mixed", "Values of a feature are of one kind.", [1.0, "one"]),
    _wrong(
        "beyond_int64",
        "Whole numbers are in the range of int64.",
        {"examples": [{"i": 2**63}], "signature_name": "whole"},
    ),
    _wrong_feature("other_kind", "A feature is of the kind that the model parses.", "text"),
    _wrong("missing", "Each feature that the model asks for is there.", {"examples": [{}]}),
    _wrong(
        "unknown_signature",
        "A signature that the model does not have is refused.",
        {"examples": [{"x": 1.0}], "signature_name": "nobody"},
    ),
    _wrong(
        "signature_no_text",
        "signature_name is a string.",
        {"examples": [{"x": 1.0}], "signature_name": 1},
    ),
)
