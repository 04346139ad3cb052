from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tfaas_core.errors import BadBody, DoesNotFit
from tfaas_core.models.params import BatchParams, Params, WarmUpRuns
from tfaas_core.tensors import BatchAxis


class TestParams:
    def test_an_empty_object_is_enough(self) -> None:
        assert Params.parse(b"{}") == Params()

    @pytest.mark.parametrize("spelling", ["inputNode", "input_node", "input_name"])
    def test_the_input_node_is_read_in_each_spelling(self, spelling: str) -> None:
        assert Params.of({spelling: "x:0"}).input_nodes == ("x:0",)
        assert Params.of({spelling: ["x", "y:0"]}).input_nodes == ("x", "y:0")

    @pytest.mark.parametrize("spelling", ["outputNode", "output_node", "output_name"])
    def test_the_output_node_is_read_in_each_spelling(self, spelling: str) -> None:
        assert Params.of({spelling: "y"}).output_nodes == ("y",)
        assert Params.of({spelling: ["y", "z"]}).output_nodes == ("y", "z")

    def test_camel_case_wins_unless_it_is_empty(self) -> None:
        assert Params.of({"input_node": "b", "inputNode": "a"}).input_nodes == ("a",)
        assert Params.of({"input_node": "b", "inputNode": ""}).input_nodes == ("b",)

    @pytest.mark.parametrize("node", ["inputNode", "input_node"])
    def test_a_name_beside_a_node_is_kept_apart(self, node: str) -> None:
        document = {"input_name": "x", node: "dense:0", "output_name": ["y", "z"]}
        params = Params.of(document | {node.replace("in", "out", 1): ["p", "q"]})
        assert (params.input_nodes, params.input_names) == (("dense:0",), ("x",))
        assert (params.output_nodes, params.output_names) == (("p", "q"), ("y", "z"))

    @pytest.mark.parametrize("empty", [None, "", [], "dense:0"])
    def test_a_name_that_says_nothing_new_is_none(self, empty: Any) -> None:
        params = Params.of({"input_node": "dense:0", "input_name": empty})
        assert (params.input_nodes, params.input_names) == (("dense:0",), ())

    def test_fields_are_read_in_any_case(self) -> None:
        body = b'{"Name": "vk", "INPUT_NODE": "x", "OutputNode": "y", "Features": ["a"], "Ours": 1}'
        params = Params.parse(body)
        assert (params.name, params.features) == ("vk", ("a",))
        assert (params.input_nodes, params.output_nodes) == (("x",), ("y",))
        assert list(params.document) == ["name", "input_node", "outputNode", "features", "Ours"]

    def test_of_a_field_in_two_cases_the_usual_one_counts(self) -> None:
        params = Params.parse(b'{"name": "vk", "Name": "other"}')
        assert (params.name, params.document) == ("vk", {"name": "vk", "Name": "other"})

    @pytest.mark.parametrize("empty", [None, "", []])
    def test_an_empty_node_leaves_it_to_the_runtime(self, empty: Any) -> None:
        assert Params.of({"inputNode": empty}).input_nodes == ()

    def test_everything_that_the_server_reads(self) -> None:
        document = {
            "name": "vk",
            "description": "top quarks",
            "options": {"a": [1]},
            "features": ["pt", "eta"],
            "signature": "serving_default",
        }
        params = Params.parse(json.dumps(document).encode())
        assert params.name == "vk"
        assert params.description == "top quarks"
        assert params.options == {"a": [1]}
        assert params.features == ("pt", "eta")
        assert params.signature == "serving_default"

    def test_the_document_is_kept_as_sent(self) -> None:
        document = {"op": "serving", "img_channels": 3, "input_node": "x", "ours": {"a": None}}
        assert Params.parse(json.dumps(document).encode()).document == document

    def test_null_is_as_absent(self) -> None:
        document = dict.fromkeys(["name", "description", "features", "signature", "options"])
        assert Params.of(document) == Params(document=document)

    @pytest.mark.parametrize(
        "body",
        [b"", b"{", b'{"name": }', b"\xff", b'{"name": "\xff"}', b"[" * 100_000, b"name=vk"],
    )
    def test_what_is_not_json_is_a_bad_body(self, body: bytes) -> None:
        with pytest.raises(BadBody, match=r"^params is not JSON"):
            Params.parse(body)

    @pytest.mark.parametrize("body", [b"[]", b"3", b'"x"', b"null"])
    def test_what_is_not_an_object_does_not_fit(self, body: bytes) -> None:
        with pytest.raises(DoesNotFit, match=r"^params is not a JSON object$"):
            Params.parse(body)

    @pytest.mark.parametrize(
        ("document", "message"),
        [
            ({"name": 3}, "params.name is not a string"),
            ({"description": ["a"]}, "params.description is not a string"),
            ({"signature": True}, "params.signature is not a string"),
            ({"runtime": ["graph"]}, "params.runtime is not a string"),
            (
                {"instances": 0},
                'params.instances is 0, it should be an integer from 1 to 64, or "a',
            ),
            ({"instances": 65}, "params.instances is 65,"),
            ({"instances": "2"}, "params.instances is '2',"),
            ({"instances": True}, "params.instances is true,"),
            ({"instances": 2.5}, "params.instances is 2.5,"),
            ({"shared_rows": 0}, "params.shared_rows is 0, it should be an integer, at least 1"),
            ({"inputNode": 3}, "params.inputNode is neither a string nor a list of strings"),
            ({"input_node": ["a", 3]}, "params.inputNode is neither a string nor a list"),
            ({"outputNode": {"a": 1}}, "params.outputNode is neither a string nor a list"),
            ({"output_name": ["a", ""]}, "params.outputNode is neither a string nor a list"),
            ({"features": [1, 2]}, "params.features is neither a string nor a list of strings"),
            ({"features": ["a", "b", "a"]}, "params.features names a column twice"),
        ],
    )
    def test_a_field_of_a_wrong_type_is_named(self, document: dict[str, Any], message: str) -> None:
        with pytest.raises(DoesNotFit, match="^" + re.escape(message)) as caught:
            Params.of(document)
        assert caught.value.details["field"] in message


class TestBatch:
    @pytest.mark.parametrize(
        ("table", "expected"),
        [
            (None, BatchParams()),
            ({}, BatchParams()),
            ({"axis": "none"}, BatchParams(BatchAxis.NONE)),
            ({"merge": False}, BatchParams(None, False)),
            ({"axis": "free", "merge": True}, BatchParams(BatchAxis.FREE, True)),
            ({"axis": "one", "merge": False}, BatchParams(BatchAxis.ONE, False)),
        ],
    )
    def test_the_axis_and_whether_to_merge(self, table: Any, expected: BatchParams) -> None:
        assert Params.of({"batch": table}).batch == expected

    def test_what_a_record_shows_can_be_sent_back(self) -> None:
        shown = {"axis": "free", "merge": False, "reason": "node 'x' (Max) mixes"}
        assert Params.of({"batch": shown}).batch == BatchParams(BatchAxis.FREE, False)

    @pytest.mark.parametrize(
        ("table", "message", "field"),
        [
            (32, "params.batch is 32, it should be an object", "batch"),
            ({"axes": 1}, "params.batch has 'axes', it may have \"axis\"", "batch.axes"),
            ({"axis": "two"}, "params.batch.axis is 'two', it should be \"free\"", "batch.axis"),
            ({"axis": []}, "params.batch.axis is \\[\\]", "batch.axis"),
            ({"merge": "yes"}, "params.batch.merge is 'yes', it should be true", "batch.merge"),
            ({"merge": 1}, "params.batch.merge is 1", "batch.merge"),
            ({"axis": "one", "merge": True}, 'batch.axis is "one": only rows', "batch.merge"),
        ],
    )
    def test_anything_else_is_refused_by_its_place(
        self, table: Any, message: str, field: str
    ) -> None:
        with pytest.raises(DoesNotFit, match=message) as caught:
            Params.of({"batch": table})
        assert caught.value.details["field"] == field


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, WarmUpRuns.ALL),
        ({"warmup": None}, WarmUpRuns.ALL),
        ({"warmup": "all"}, WarmUpRuns.ALL),
        ({"warmup": "examples"}, WarmUpRuns.EXAMPLES),
        ({"warmup": "none"}, WarmUpRuns.NONE),
    ],
)
def test_what_is_run_before_a_model_serves(document: Any, expected: WarmUpRuns) -> None:
    assert Params.of(document).warmup is expected


@pytest.mark.parametrize(
    ("document", "expected"), [({}, False), ({"nan": "refuse"}, False), ({"nan": "accept"}, True)]
)
def test_whether_requests_may_send_nan(document: Any, expected: bool) -> None:
    assert Params.of(document).accepts_nan is expected


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"warmup": "off"}, 'params.warmup is \'off\', it should be "all" or "examples" or'),
        ({"warmup": ["none"]}, "params.warmup is \\['none'\\]"),
        ({"nan": True}, 'params.nan is true, it should be "refuse" or "accept"'),
    ],
)
def test_a_choice_that_there_is_not_is_refused(document: Any, message: str) -> None:
    with pytest.raises(DoesNotFit, match=message) as caught:
        Params.of(document)
    assert [caught.value.details["field"]] == list(document)


def test_params_nested_too_deeply_are_refused() -> None:
    nested = b"[" * 64 + b"]" * 64
    assert Params.parse(b'{"x": ' + b"[" * 63 + b"]" * 63 + b"}").document["x"]
    with pytest.raises(DoesNotFit, match="nested more than 64 deep"):
        Params.parse(b'{"x": ' + nested + b"}")
