"""Cases: the extensions for classification, configuration and logging."""

from __future__ import annotations

import re
from typing import Any

from tfaas_core.testing.conformance.case import Case, Expectation, Group
from tfaas_core.testing.conformance.exchange import Ask, changed, get
from tfaas_core.testing.conformance.expect import (
    OK,
    has_json,
    json_where,
    refuses,
)
from tfaas_core.testing.conformance.models import AFFINE, PAIR
from tfaas_core.testing.conformance.oip.asks import affine, pair, wanted_output
from tfaas_core.testing.conformance.oip.outputs import outputs
from tfaas_core.testing.conformance.oip.tensors import Tensor

_classes = Group("oip.classification", "classification")


def _top(k: Any, *values: float, **more: Any) -> Ask:
    return affine(*values, outputs=[wanted_output("y", classification=k, **more)])


def _elements(words: str, pattern: str) -> Expectation:
    def holds(document: Any) -> bool:
        (output,) = document["outputs"]
        found = output["data"]
        return output["datatype"] == "BYTES" and bool(re.fullmatch(pattern, " ".join(found)))

    return json_where(words, holds)


def _refused(name: str, sentence: str, k: Any) -> Case:
    return _classes.should(name, sentence, _top(k, 1, 2, 3), *refuses())


CLASSIFICATION_CASES = (
    _classes.must(
        "largest",
        "The largest values are answered as value:index, the largest one first, as BYTES.",
        _top(2, 1, 9, 4),
        OK,
        _elements("BYTES like 11.000000:1 and 6.000000:2", r"11\.0*:1(:\S*)? 6\.0*:2(:\S*)?"),
    ),
    _classes.should(
        "six_decimals",
        "Floats of a classification have six decimals.",
        _top(1, 1, 9, 4),
        OK,
        _elements("11.000000:1", r"11\.000000:1(:\S*)?"),
    ),
    _classes.must(
        "shape",
        "The shape is the batch, and how many there are of each row.",
        _top(2, 1, 9, 4, 7, 5, 6),
        OK,
        has_json({"outputs": [{"shape": [2, 2]}]}),
        _elements("two of each row", r"11\.0*:1\S* 6\.0*:2\S* 9\.0*:0\S* 8\.0*:2\S*"),
    ),
    _classes.should(
        "too_many",
        "There are no more classes than there are values.",
        _top(7, 1, 9, 4),
        OK,
        has_json({"outputs": [{"shape": [1, 3]}]}),
    ),
    _classes.should(
        "ties",
        "Of values that are alike, the one of the lower index is first.",
        _top(3, 5, 5, 5),
        OK,
        _elements("indices 0, 1 and 2", r"7\.0*:0\S* 7\.0*:1\S* 7\.0*:2\S*"),
    ),
    _classes.must(
        "integers",
        "Integers of a classification have no decimals.",
        pair(outputs=[wanted_output("sum", classification=1)]),
        OK,
        _elements("22:1", r"22:1(:\S*)?"),
    ),
    _classes.must(
        "binary",
        "Together with binary_data, classes are a binary tensor.",
        pair(outputs=[wanted_output("sum", classification=1, binary_data=True)]),
        OK,
        outputs(Tensor("sum", "BYTES", [1, 1], ["22:1"]), form="binary"),
    ),
    _refused("negative", "The number of classes is not negative.", -1),
    _refused("no_number", "The number of classes is a whole number.", "two"),
)

_configuration = Group("oip.configuration", "model_configuration")

CONFIGURATION_CASES = (
    _configuration.must(
        "model",
        "A model's configuration names it.",
        changed(get(f"/v2/models/{AFFINE}/config"), model=AFFINE),
        OK,
        has_json({"name": AFFINE}),
    ),
    _configuration.must(
        "ends",
        "A model's configuration has its inputs and outputs.",
        changed(get(f"/v2/models/{PAIR}/config"), model=PAIR),
        OK,
        json_where(
            "inputs a and b, and two outputs",
            lambda d: {e["name"] for e in d["input"]} == {"a", "b"} and len(d["output"]) == 2,
        ),
    ),
    _configuration.must(
        "unknown_model",
        "The configuration of a model that is not there is refused.",
        get("/v2/models/conformance_unknown/config"),
        *refuses(),
    ),
)

_logging = Group("oip.logging", "logging")

LOGGING_CASES = (
    _logging.must(
        "settings",
        "The settings of the log are told.",
        get("/v2/logging"),
        OK,
        json_where(
            "log_info, log_warning and log_error, each true or false",
            lambda d: all(type(d[f"log_{kind}"]) is bool for kind in ("info", "warning", "error")),
        ),
    ),
    _logging.should(
        "format",
        "The settings tell how much is logged, and in which format.",
        get("/v2/logging"),
        OK,
        json_where(
            "log_verbose_level and log_format",
            lambda d: type(d["log_verbose_level"]) is int and type(d["log_format"]) is str,
        ),
    ),
)
