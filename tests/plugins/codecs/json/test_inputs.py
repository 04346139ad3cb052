"""Values by JSON: put in order by keys, and for several inputs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.plugins.codecs.json.requests import ROW_OF_2, array, bind, refusal
from tests.plugins.codecs.versions import TWO_INPUTS, VK, VK_3, signed, taking
from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import BatchAxis, TensorSpec
from tfaas_core.testing.models import model_version
from tfaas_core.values.numbers import NAN_HINT


class TestKeys:
    def test_without_features_the_order_sent_is_used(self) -> None:
        assert array({"keys": ["b", "a"], "values": [1, 2]}).tolist() == [[1, 2]]

    @pytest.mark.parametrize("alias", ["keys", "key"])
    def test_with_features_values_are_put_into_their_order(self, alias: str) -> None:
        row = {alias: ["c", "a", "b"], "values": [3, 1, 2]}
        assert array(row, VK_3).tolist() == [[1, 2, 3]]
        batch = {alias: ["b", "a", "c"], "values": [[2, 1, 3], [5, 4, 6]]}
        assert array(batch, VK_3).tolist() == [[1, 2, 3], [4, 5, 6]]

    def test_reordered_columns_are_contiguous(self) -> None:
        rows = {"keys": ["c", "a", "b"], "values": [[3, 1, 2]] * 5}
        assert array(rows, VK_3).flags.c_contiguous

    def test_keys_in_the_order_of_features_change_nothing(self) -> None:
        row = {"keys": ["a", "b", "c"], "values": [1, 2, 3]}
        assert array(row, VK_3).tolist() == [[1, 2, 3]]

    @pytest.mark.parametrize("keys", [None, "absent"])
    def test_with_features_but_no_keys_the_order_sent_is_used(self, keys: Any) -> None:
        body = {"values": [3, 1, 2]} | ({} if keys else {"keys": None})
        assert array(body, VK_3).tolist() == [[3, 1, 2]]

    def test_features_order_a_whole_tensor_of_one_axis_too(self) -> None:
        version = taking(shape=(2,), batch=BatchAxis.NONE, features=["a", "b"])
        assert array({"keys": ["b", "a"], "values": [2, 1]}, version).tolist() == [1, 2]

    def test_features_order_a_row_of_unknown_rank(self) -> None:
        version = taking(shape=None, features=["a", "b"])
        assert array({"keys": ["b", "a"], "values": [2, 1]}, version).tolist() == [[1, 2]]

    def test_keys_say_nothing_of_a_row_of_higher_rank(self) -> None:
        version = taking(shape=(None, 2, 1), features=["a", "b"])
        body = {"keys": ["q"], "values": [[1], [2]]}
        assert array(body, version).tolist() == [[[1], [2]]]

    @pytest.mark.parametrize(
        ("keys", "values", "fault"),
        [
            (["a", "b"], [1, 2], "key 'c' is missing"),
            (["a", "b", "d"], [1, 2, 3], "key 'c' is missing"),
            (["a", "b", "c", "d"], [1, 2, 3, 4], "key 'd' is unknown"),
            (["a", "b", "a"], [1, 2, 3], "key 'a' is sent twice"),
            (["a", "b", "c", "b"], [1, 2, 3, 4], "key 'b' is sent twice"),
            (["A", "b", "c"], [1, 2, 3], "key 'a' is missing"),
        ],
    )
    def test_with_features_a_wrong_key_is_named(
        self, keys: list[str], values: list[int], fault: str
    ) -> None:
        error = refusal({"keys": keys, "values": values}, VK_3)
        assert error.message == f"{fault}, model 'vk' takes each of its features once"
        assert error.details["field"] == "keys"
        assert error.details["expected"] == ["a", "b", "c"]

    @pytest.mark.parametrize(
        ("keys", "told"), [(["a"], "1 column"), (["a", "b", "c"], "3 columns")]
    )
    @pytest.mark.parametrize("batch", [False, True])
    def test_keys_are_as_many_as_columns(self, keys: list[str], told: str, batch: bool) -> None:
        row = [0, 0]
        error = refusal({"keys": keys, "values": [row, row] if batch else row})
        assert error.message == f"keys names {told}, values has 2"
        assert (error.details["expected"], error.details["got"]) == (2, len(keys))

    def test_features_that_are_not_the_models_columns_are_told(self) -> None:
        version = taking(features=["a", "b", "c"])
        error = refusal({"keys": ["c", "b", "a"], "values": [1, 2]}, version)
        assert error.message == "keys names 3 columns, values has 2"

    def test_a_wrong_length_is_told_before_the_number_of_keys(self) -> None:
        error = refusal({"keys": ["a"], "values": [1]})
        assert error.message == "values has 1 number, model 'vk' takes 2"


class TestInputs:
    @pytest.mark.parametrize("suffix", ["", ":0"])
    @pytest.mark.parametrize("stored", ["", ":0"])
    def test_each_input_is_found_with_and_without_its_port(self, suffix: str, stored: str) -> None:
        version = model_version([TensorSpec(f"x{stored}", "int32", (None, 1))])
        bound = bind({"inputs": {f"x{suffix}": [1]}}, version)
        assert bound.arrays.keys() == {f"x{stored}"}
        assert bound.single

    def test_inputs_are_rows_together(self) -> None:
        bound = bind({"inputs": {"x": [1, 2], "y": [3]}}, TWO_INPUTS)
        assert (bound.rows, bound.single) == (1, True)
        assert bound.arrays["x"].tolist() == [[1, 2]]
        assert bound.arrays["y"].tolist() == [[3]]

    def test_inputs_are_batches_together(self) -> None:
        bound = bind({"inputs": {"y": [[3], [4]], "x": [[1, 2], [5, 6]]}}, TWO_INPUTS)
        assert (bound.rows, bound.single) == (2, False)

    def test_without_a_batch_axis_inputs_have_sizes_of_their_own(self) -> None:
        specs = [TensorSpec("x", "float32", (None,)), TensorSpec("on", "bool", ())]
        version = model_version(specs, batch=BatchAxis.NONE)
        bound = bind({"inputs": {"x": [1, 2, 3], "on": False}}, version)
        assert (bound.rows, bound.single) == (1, True)
        assert bound.arrays["on"].shape == ()

    def test_keys_are_no_matter_for_inputs(self) -> None:
        assert array({"inputs": {"x": [1, 2, 3]}, "keys": ["z"]}, VK_3).tolist() == [[1, 2, 3]]

    def test_null_inputs_are_as_none(self) -> None:
        assert array({"inputs": None, "values": [1, 2]}).tolist() == [[1, 2]]

    @pytest.mark.parametrize("body", [{"values": [1, 2]}, {}])
    def test_a_model_of_several_inputs_asks_for_them(self, body: dict[str, Any]) -> None:
        error = refusal(body, TWO_INPUTS)
        assert error.message == (
            'model \'vk\' takes several inputs, send "inputs": {"x": ..., "y": ...}'
        )
        assert error.details == {"field": "inputs", "expected": ["x", "y"], "model": "vk"}

    @pytest.mark.parametrize(
        ("inputs", "message"),
        [
            ({"x": [1, 2]}, "input 'y' is missing, model 'vk' takes 'x', 'y'"),
            ({}, "input 'x' is missing, model 'vk' takes 'x', 'y'"),
            (
                {"x": [1, 2], "y": [1], "z": [1]},
                "input 'z' is unknown, model 'vk' takes 'x', 'y'",
            ),
            (
                {"x": [1, 2], "y:1": [1]},
                "input 'y:1' is unknown, model 'vk' takes 'x', 'y'",
            ),
            (
                {"x": [1, 2], "x:0": [1, 2], "y": [1]},
                "input 'x:0' is sent twice, model 'vk' takes 'x', 'y'",
            ),
            (
                {"x": [1, 2], "y": [[1]]},
                "inputs.x is one row, inputs.y is a batch of 1 row; send as many rows to each "
                "input; a batch of one row is nested one deeper than the row",
            ),
            (
                {"x": [[1, 2]] * 3, "y": [[1], [2]]},
                "inputs.x is a batch of 3 rows, inputs.y is a batch of 2 rows; "
                'send as many rows to each input; or say "batch": {"axis": "none"} in the params, '
                "if the inputs' first axes have nothing to do with each other",
            ),
            (
                {"x": [1, 2], "y": [None]},
                f"inputs.y[0] is null, model 'vk' takes numbers{NAN_HINT}",
            ),
            ({"x": [1, 2], "y": [1, 2]}, "inputs.y has 2 numbers, model 'vk' takes 1"),
            (
                {"x": None, "y": [1]},
                f"inputs.x is null, model 'vk' takes {ROW_OF_2}",
            ),
        ],
    )
    def test_inputs_that_do_not_fit_are_named(self, inputs: dict[str, Any], message: str) -> None:
        assert refusal({"inputs": inputs}, TWO_INPUTS).message == message


SCALED = model_version(
    [
        TensorSpec("x", "float32", (None, 2)),
        TensorSpec("scale", "float32", (), default=3.0),
        TensorSpec("on", "bool", (), default=True),
    ],
    batch=BatchAxis.NONE,
)


class TestDefaults:
    def test_an_input_that_has_a_default_may_be_left_out(self) -> None:
        bound = bind({"inputs": {"x": [[1, 2]], "on": False}}, SCALED)
        assert set(bound.arrays) == {"x", "on"}
        assert set(bind({"inputs": {"x": [[1, 2]], "scale": 1}}, SCALED).arrays) == {"x", "scale"}

    def test_values_are_for_the_one_input_that_has_none(self) -> None:
        assert array({"values": [[1, 2], [3, 4]]}, SCALED).tolist() == [[1, 2], [3, 4]]
        row = model_version([TensorSpec("y", "int8", (None,), default=[3]), *VK.signature.inputs])
        assert array({"values": [1, 2]}, row).tolist() == [[1, 2]]

    def test_one_row_is_taken_by_itself_too(self) -> None:
        specs = [TensorSpec("x", "float32", (None, 2)), TensorSpec("y", "int8", (1,), default=[3])]
        version = model_version(specs, batch=BatchAxis.NONE)
        for body in ({"values": [1, 2]}, {"inputs": {"x": [1, 2]}}):
            bound = bind(json.dumps(body).encode(), version)
            assert (bound.single, bound.whole) == (True, True)
            assert bound.arrays["x"].tolist() == [[1, 2]]

    def test_one_row_is_taken_beside_defaults_that_are_no_rows(self) -> None:
        bound = bind({"values": [1, 2]}, SCALED)
        assert (bound.single, bound.whole) == (True, True)
        assert bound.arrays["x"].tolist() == [[1, 2]]
        refusal({"inputs": {"x": [1, 2], "scale": 1}}, SCALED)

    def test_an_input_without_a_default_is_missed(self) -> None:
        message = refusal({"inputs": {"scale": 1}}, SCALED).message
        assert message == "input 'x' is missing, model 'vk' takes 'x', 'scale', 'on'"
        assert refusal({}, SCALED).message == "values is missing"

    def test_where_several_have_none_or_all_have_one_values_are_for_no_input(self) -> None:
        one = [TensorSpec("z", "int8", (), default=3)]
        assert "takes several" in refusal({"values": [1]}, with_inputs(TWO_INPUTS, one)).message
        two = [*one, TensorSpec("y", "int8", (), default=4)]
        assert "takes several" in refusal({"values": 1}, model_version(two)).message

    def test_the_only_input_takes_values_though_it_has_a_default(self) -> None:
        version = model_version([TensorSpec("y", "int8", (None,), default=[4])])
        assert array({"values": [1]}, version).tolist() == [1]


def with_inputs(version: ModelVersion, specs: list[TensorSpec]) -> ModelVersion:
    return model_version([*version.signature.inputs, *specs])


class TestUnusedInputs:
    def test_they_may_be_sent_and_nobody_reads_them(self) -> None:
        version = signed(VK, unused=["training", "seed:0"])
        for values in (True, [[1]], "what", None):
            body = {"inputs": {"training": values, "x": [1, 2], "seed": values}}
            assert array(body, version).tolist() == [[1, 2]]

    def test_others_are_still_unknown(self) -> None:
        body = {"inputs": {"x": [1, 2], "train": True}}
        assert "'train' is unknown" in refusal(body, signed(VK, unused=["training"])).message


class TestSignatureNames:
    @pytest.mark.parametrize("field", ["signature_name", "signature"])
    @pytest.mark.parametrize(
        ("name", "asked"),
        [
            ("serving_default", "serving_default"),
            ("negate", "negate"),
            ("", "serving_default"),
            ("negate", None),
            ("negate", ""),
            ("", ""),
        ],
    )
    def test_the_one_that_is_served_may_be_named(
        self, field: str, name: str, asked: str | None
    ) -> None:
        body = {field: asked, "values": [1, 2]}
        assert array(body, signed(VK, name)).tolist() == [[1, 2]]

    @pytest.mark.parametrize("field", ["signature_name", "signature"])
    @pytest.mark.parametrize(
        ("name", "asked", "serves"),
        [
            ("serving_default", "negate", "serves 'serving_default'"),
            ("negate", "serving_default", "serves 'negate'"),
            ("", "negate", "serves no other than 'serving_default'"),
        ],
    )
    def test_another_one_is_refused(self, field: str, name: str, asked: str, serves: str) -> None:
        error = refusal({field: asked, "inputs": {"x": [1, 2]}}, signed(VK, name))
        assert error.message == (
            f"the request asks for signature {asked!r}, model 'vk' {serves}; "
            '"signature" in the params.json of an upload chooses another'
        )
        assert error.details["got"] == asked

    @pytest.mark.parametrize("asked", [3, ["negate"], {}, False])
    def test_what_is_no_name_is_refused(self, asked: Any) -> None:
        error = refusal({"signature_name": asked, "values": [1, 2]})
        assert error.message.startswith("signature_name is ")

    def test_two_names_are_one_too_many(self) -> None:
        body = {"signature_name": "a", "values": [1, 2]}
        assert "send one of them" in refusal(body | {"signature": "b"}, signed(VK, "a")).message
        assert array(body | {"signature": "a"}, signed(VK, "a")).tolist() == [[1, 2]]
