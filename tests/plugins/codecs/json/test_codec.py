"""The JSON codec: its contract, and what is a document at all."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from tfaas_plugins.codecs.json import tfaas_register_codecs
from tfaas_plugins.codecs.json.codec import JsonCodec

from tests.plugins.codecs.json.requests import bind, refusal
from tests.plugins.codecs.versions import TWO_INPUTS, VK, VK_3, f32, taking
from tfaas_core.config import Config
from tfaas_core.errors import BadBody
from tfaas_core.route import Head
from tfaas_core.tensors import BatchAxis, Bound
from tfaas_core.testing.codec import CodecContract, Sample

SEND = "send the number of a version: an integer from 1 to 2147483647"


class TestContract(CodecContract):
    make_codec = JsonCodec
    samples: ClassVar[list[Sample]] = [
        Sample(
            b'{"keys": ["attr1", "attr2"], "values": [1.0, -2.0], "model": "vk"}',
            VK,
            Bound({"x": f32([[1, -2]])}, 1, True),
            {"y": f32([[0.7310586]])},
            b"[0.7310586]",
        ),
        Sample(
            b'{"values": [[1, 2], [3, 4], [5, 6]]}',
            VK,
            Bound({"x": f32([[1, 2], [3, 4], [5, 6]])}, 3, False),
            {"y": f32([[0.1], [np.nan], [-np.inf]])},
            b"[[0.1],[null],[null]]",
            content_type="application/json; charset=utf-8",
        ),
        Sample(
            b'{"keys": ["c", "a", "b"], "values": [3, 1, 2]}',
            VK_3,
            Bound({"x": f32([[1, 2, 3]])}, 1, True),
            {"y": f32([[1]])},
            b"[1.0]",
        ),
        Sample(
            b'{"inputs": {"y": [[5], [6]], "x:0": [[1, 2], [3, 4]]}}',
            TWO_INPUTS,
            Bound({"x": f32([[1, 2], [3, 4]]), "y": f32([[5], [6]])}, 2, False),
            {"y": f32([[1], [2]])},
            b"[[1.0],[2.0]]",
        ),
        Sample(
            b'{"values": [true, false]}',
            taking("bool"),
            Bound({"x": np.array([[True, False]])}, 1, True),
            {"y": f32([[1]])},
            b"[1.0]",
        ),
        Sample(
            b'{"values": ["caf\\u00e9", {"b64": "/w=="}]}',
            taking("string", (None,), BatchAxis.NONE),
            Bound({"x": np.array(["café".encode(), b"\xff"], object)}, 1, True),
            {"y": f32([[1]])},
            b"[[1.0]]",
        ),
        Sample(
            b'{"values": [[1, null], [3, 4]]}',
            taking(nan="accept"),
            Bound({"x": f32([[1, np.nan], [3, 4]])}, 2, False),
            {"y": f32([[1], [2]])},
            b"[[1.0],[2.0]]",
        ),
        Sample(
            b'{"values": []}',
            VK,
            Bound({"x": f32(np.zeros((0, 2)))}, 0, False, whole=True),
            {"y": f32(np.zeros((0, 1)))},
            b"[]",
        ),
    ]


def test_the_plugin_registers_the_codec() -> None:
    (codec,) = tfaas_register_codecs(Config())
    assert codec.name == "json"
    assert codec.media_types == ("application/json",)


class TestParse:
    @pytest.mark.parametrize(
        ("body", "model"),
        [
            (b'{"model": "vk"}', "vk"),
            (b'{"name": "vk"}', "vk"),
            (b'{"model": "vk", "name": "other"}', "vk"),
            (b'{"model": null, "name": "vk"}', "vk"),
            (b'{"model": "", "name": "vk"}', "vk"),
            (b'{"model": ""}', None),
            (b'{"model": null}', None),
            (b"{}", None),
            (b' \r\n\t{"model": "\\u0076k", "more": [{}]} ', "vk"),
            (b'\xef\xbb\xbf{"model": "vk"}', "vk"),
        ],
    )
    def test_the_model_is_read_from_model_or_else_name(
        self, body: bytes, model: str | None
    ) -> None:
        assert JsonCodec().parse(body, Head()).model == model

    @pytest.mark.parametrize(
        ("body", "version", "label"),
        [
            (b"{}", None, None),
            (b'{"version": 3}', 3, None),
            (b'{"version": null, "label": null}', None, None),
            (b'{"label": "canary"}', None, "canary"),
            (b'{"label": "", "version": 2147483647}', 2147483647, None),
            (b'{"label": "fu", "values": [1, true]}', None, "fu"),
            (b'{"versions": 3, "Versions": 4, "labels": [], "tag": "x"}', None, None),
        ],
    )
    def test_the_version_is_read_as_a_number_or_a_label(
        self, body: bytes, version: int | None, label: str | None
    ) -> None:
        document = JsonCodec().parse(body, Head())
        assert (document.version, document.label) == (version, label)

    @pytest.mark.parametrize("label", ["fu", "tfaas", "unused", "\\u0075"])
    def test_a_label_hides_no_boolean_among_the_values(self, label: str) -> None:
        for token in ("true", "false"):
            error = refusal(f'{{"label": "{label}", "values": [1, {token}]}}'.encode())
            assert token in error.message

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b" \n",
            b"{",
            b'{"values": [1, 2]',
            b'{"values": [1,]}',
            b'{"values": [01]}',
            b'{"values": [.5]}',
            b'{"values": [+1]}',
            b'{"values": [nan]}',
            b'{"values": [1, 2]} x',
            b"{'values': [1]}",
            b'{"x": "\xff"}',
            b'{"\xff": 1}',
            b'{"x": "\\ud800"}',
            b'{"x": "\x01"}',
            b'{"values": [1e999}',
            b'{"values": [1E309.0]}',
            b'{"values": [1e999' + b"," + b"[" * 50_000,
            b"\x00",
            b"values=1,2",
            '{"values": [1]}'.encode("utf-16"),
            b"[" * 50_000,
            b'{"values": ' + b"[" * 50_000,
            b'{"values": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
            b'{"a":' * 50_000,
        ],
    )
    def test_what_is_not_json_is_a_bad_body(self, body: bytes) -> None:
        with pytest.raises(BadBody, match=r"^the body is (not JSON: .+|empty, .+)$"):
            JsonCodec().parse(body, Head())

    @pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity", "-NaN"])
    def test_bare_nan_and_infinity_are_a_bad_body(self, token: str) -> None:
        body = f'{{"né": "é",\n"values": [1, {token}]}}'.encode()
        with pytest.raises(BadBody, match=rf"{token.lstrip('-')} at line 2, column 1[56]"):
            bind(body)

    def test_bad_json_is_located(self) -> None:
        with pytest.raises(BadBody, match="line 2, column 3"):
            JsonCodec().parse(b"{\n  x: 1}", Head())
        with pytest.raises(BadBody, match="byte 7 is not UTF-8"):
            JsonCodec().parse(b'{"x": "\xff"}', Head())

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b"[1, 2]", "the body is a list, send a JSON object"),
            (b"3", "the body is 3, send a JSON object"),
            (b'"x"', "the body is a string, send a JSON object"),
            (b"null", "the body is null, send a JSON object"),
            (b'{"model": 3}', "model is 3, send a model's name as a string"),
            (b'{"model": 0}', "model is 0, send a model's name as a string"),
            (b'{"model": false}', "model is false, send a model's name as a string"),
            (b'{"name": ["vk"]}', "name is a list, send a model's name as a string"),
            (b'{"label": 3}', "label is 3, send a label of the model as a string"),
            (b'{"label": false}', "label is false, send a label of the model as a string"),
            (b'{"version": "3"}', f"version is '3', {SEND}"),
            (b'{"version": ""}', f"version is '', {SEND}"),
            (b'{"version": 0}', f"version is 0, {SEND}"),
            (b'{"version": 3.0}', f"version is 3.0, {SEND}"),
            (b'{"version": true}', f"version is true, {SEND}"),
            (b'{"version": 2147483648}', f"version is 2147483648, {SEND}"),
            (b'{"version": 99999999999999999999}', f"version is 1e+20, {SEND}"),
            (b'{"version": [3]}', f"version is no number, {SEND}"),
            (b'{"keys": 3}', "keys is 3, send a list of strings"),
            (b'{"key": {"a": 1}}', "keys is an object, send a list of strings"),
            (b'{"keys": "ab"}', "keys is a string, send a list of strings"),
            (b'{"keys": ["a", 1]}', "keys[1] is 1, send a string"),
            (b'{"keys": ["a", "b", null]}', "keys[2] is null, send a string"),
            (b'{"inputs": [1]}', "inputs is a list, send an object with a value for each input"),
            (b'{"inputs": 0}', "inputs is 0, send an object with a value for each input"),
            (
                b'{"values": [1], "inputs": {"x": [1]}}',
                "both values and inputs are sent, send one of them",
            ),
            (
                b'{"value": [1], "inputs": {}}',
                "both values and inputs are sent, send one of them",
            ),
        ],
    )
    def test_fields_of_a_wrong_type_do_not_fit(self, body: bytes, message: str) -> None:
        assert refusal(body).message == message

    @pytest.mark.parametrize("number", ["1e999", "-1e400", "9" * 400, "-" + "9" * 5000])
    def test_numbers_beyond_every_float_do_not_fit(self, number: str) -> None:
        error = refusal(f'{{"values": [1, {number}]}}'.encode())
        assert error.message == "the number at line 1, column 16 is too large for any model"
