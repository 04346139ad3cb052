from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import msgspec
import pytest

from tfaas_core.errors import DoesNotFit
from tfaas_core.models.model import ModelVersion, check_name, now_text
from tfaas_core.tensors import BatchAxis, TensorSpec
from tfaas_core.testing.models import model_version


class TestNames:
    @pytest.mark.parametrize("name", ["vk", "V", "0", "a.b-c_d", "a" * 128, "9..", "model.pb"])
    def test_letters_digits_dots_dashes_and_underscores(self, name: str) -> None:
        assert check_name(name) == name

    @pytest.mark.parametrize(
        "name",
        [
            *("", ".", "..", ".a", "-a", "_a", "a/b", "../a", "a\\b", "a%2f"),
            *("a b", "a\n", "\na", "a\0", "é", "٣", "a" * 129, "x" * 100_000),
        ],
    )
    def test_nothing_else_names_a_model(self, name: str) -> None:
        with pytest.raises(DoesNotFit, match="cannot name a model: a name is letters") as caught:
            check_name(name)
        assert caught.value.details == {"field": "name"}
        assert caught.value.message.isprintable()
        assert len(caught.value.message) < 400


CLASSIC_KEYS = [
    *("name", "model", "labels", "options"),
    *("inputNode", "outputNode", "description", "timestamp"),
]


class TestDocument:
    def test_the_keys_that_clients_know_come_first_and_in_their_order(self) -> None:
        assert list(model_version().document())[:8] == CLASSIC_KEYS

    def test_every_value_of_a_record(self) -> None:
        params = {"description": "top quarks", "options": {"a": 1}, "input_node": "x:0"}
        record = model_version(params=params, labels=["higgs"], version=7)
        assert json.loads(json.dumps(record.document())) == {
            "name": "vk",
            "model": "model.pb",
            "labels": "labels.txt",
            "options": {"a": 1},
            "inputNode": "x:0",
            "outputNode": "y",
            "description": "top quarks",
            "timestamp": "2021-10-22 14:04:52.890903 +0000 UTC",
            "version": 7,
            "runtime": "graph",
            "signature": {
                "inputs": [{"name": "x", "dtype": "float32", "shape": [None, 2]}],
                "outputs": [{"name": "y", "dtype": "float32", "shape": [None, 1]}],
                "batch": "free",
            },
            "batch": {"axis": "free", "merge": True, "reason": ""},
            "size": 1000,
            "checksum": "0" * 64,
        }

    def test_nodes_that_params_leave_out_come_from_the_signature(self) -> None:
        shown = model_version(
            [TensorSpec("a", "float32", (None, 1)), TensorSpec("b", "int8", None)]
        ).document()
        assert shown["inputNode"] == ["a", "b"]
        assert shown["outputNode"] == "y"

    @pytest.mark.parametrize(
        ("node", "name", "shown"),
        [("x:0", "a", "x:0"), ("dense", "x:0", "x:0"), ("dense", "a", "x"), ("dense", "", "dense")],
    )
    def test_of_nodes_and_names_those_are_shown_that_are_served(
        self, node: str, name: str, shown: str
    ) -> None:
        params = {"input_node": node, "input_name": name}
        record = model_version(params=params).document()
        assert record["inputNode"] == shown
        assert "input_name" not in record

    def test_options_are_null_where_there_are_none(self) -> None:
        assert model_version().document()["options"] is None

    def test_unknown_fields_of_params_come_last_and_known_ones_are_not_repeated(self) -> None:
        params = {"op": "x", "output_name": "out", "img_channels": 3, "model": "mine.pb"}
        shown = model_version(params=params).document()
        assert list(shown)[-2:] == ["op", "img_channels"]
        assert (shown["op"], shown["img_channels"]) == ("x", 3)
        assert shown["outputNode"] == "out"
        assert shown["model"] == "model.pb"
        assert "output_name" not in shown

    def test_it_is_json(self) -> None:
        shown = model_version(batch=BatchAxis.NONE, params={"ours": [1, {"a": None}]}).document()
        assert json.loads(json.dumps(shown))["ours"] == [1, {"a": None}]

    def test_a_record_reads_back_from_json_as_itself(self) -> None:
        record = model_version(params={"features": ["a"]}, labels=["x"], batch=BatchAxis.ONE)
        assert msgspec.json.decode(msgspec.json.encode(record), type=ModelVersion) == record


def test_the_present_time_is_utc_in_the_form_that_clients_know() -> None:
    text = now_text()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} \+0000 UTC", text)
    then = datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f %z UTC")
    assert abs((datetime.now(UTC) - then).total_seconds()) < 60
