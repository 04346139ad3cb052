"""The names of fields in JSON and MessagePack, as clients written in Go may spell them."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from tfaas_plugins.codecs.json.codec import JsonCodec
from tfaas_plugins.codecs.msgpack.codec import MsgpackCodec

from tests.plugins.codecs.versions import TWO_INPUTS, VK, VK_3, signed
from tfaas_core.errors import DoesNotFit
from tfaas_core.models.model import ModelVersion

CODECS = ["json", "msgpack"]


class Sender:
    """Sends documents to one of the two codecs."""

    def __init__(self, codec: str) -> None:
        self._codec: Any = JsonCodec() if codec == "json" else MsgpackCodec()
        self._encode = json.dumps if codec == "json" else msgspec.msgpack.encode

    def parse(self, document: dict[str, Any]) -> Any:
        body: Any = self._encode(document)
        return self._codec.parse(body.encode() if isinstance(body, str) else body, "")

    def arrays(self, document: dict[str, Any], version: ModelVersion = VK) -> dict[str, Any]:
        bound = self._codec.bind(self.parse(document), version)
        return {name: array.tolist() for name, array in bound.arrays.items()}


@pytest.fixture(params=CODECS)
def sender(request: pytest.FixtureRequest) -> Sender:
    return Sender(request.param)


@pytest.mark.parametrize("field", ["Model", "MODEL", "mODEL", "Name", "NAME"])
def test_the_model_is_found_in_any_case(sender: Sender, field: str) -> None:
    assert sender.parse({field: "vk", "values": [1, 2]}).model == "vk"


@pytest.mark.parametrize("nobody", [None, ""])
def test_a_model_in_another_case_counts_where_the_exact_one_is_empty(
    sender: Sender, nobody: Any
) -> None:
    for document in ({"model": nobody, "Model": "vk"}, {"Model": "vk", "model": nobody}):
        assert sender.parse(document).model == "vk"


def test_the_exact_name_wins(sender: Sender) -> None:
    assert sender.parse({"Model": "other", "model": "vk"}).model == "vk"
    sent = {"Values": [9, 9], "values": [1, 2], "VALUES": [8, 8]}
    assert sender.arrays(sent) == {"x": [[1, 2]]}


def test_a_model_that_is_no_string_is_refused_in_any_case(sender: Sender) -> None:
    with pytest.raises(DoesNotFit, match="model is 3, send a model's name as a string"):
        sender.parse({"Model": 3, "values": [1, 2]})


@pytest.mark.parametrize("field", ["Values", "VALUES", "Value"])
@pytest.mark.parametrize("count", [1, 3000])
def test_values_are_found_in_any_case_however_many(sender: Sender, field: str, count: int) -> None:
    rows = [[0.5, number] for number in range(count)]
    assert sender.arrays({field: rows}) == {"x": rows}


@pytest.mark.parametrize("field", ["Keys", "KEYS", "Key"])
def test_keys_are_found_in_any_case(sender: Sender, field: str) -> None:
    sent = {field: ["c", "a", "b"], "Values": [3, 1, 2]}
    assert sender.arrays(sent, VK_3) == {"x": [[1, 2, 3]]}


def test_inputs_are_found_in_any_case_but_have_names_of_their_own(sender: Sender) -> None:
    assert sender.arrays({"Inputs": {"x": [1, 2], "y": [3]}}, TWO_INPUTS) == {
        "x": [[1, 2]],
        "y": [[3]],
    }
    with pytest.raises(DoesNotFit, match="'X' is unknown"):
        sender.arrays({"Inputs": {"X": [1, 2], "y": [3]}}, TWO_INPUTS)


@pytest.mark.parametrize(("field", "value"), [("Version", 3), ("LABEL", "canary")])
def test_the_version_is_found_in_any_case(sender: Sender, field: str, value: Any) -> None:
    document = sender.parse({field: value, "values": [1, 2]})
    assert value in (document.version, document.label)


def test_the_signature_is_found_in_any_case(sender: Sender) -> None:
    with pytest.raises(DoesNotFit, match="signature"):
        sender.arrays({"Signature_Name": "other", "values": [1, 2]}, signed(VK, "serving_default"))


@pytest.mark.parametrize("field", ["values", "VALUES", "Inputs"])
def test_a_boolean_is_no_number_in_any_case(sender: Sender, field: str) -> None:
    for truth in (True, False):
        row: Any = [1, truth]
        with pytest.raises(DoesNotFit, match=str(truth).lower()):
            sender.arrays({field: {"x": row} if field == "Inputs" else row})


@pytest.mark.parametrize("field", ["keys", "key", "Keys"])
@pytest.mark.parametrize("version", [VK, VK_3])
def test_no_keys_are_as_if_none_were_sent(
    sender: Sender, field: str, version: ModelVersion
) -> None:
    (spec,) = version.signature.inputs
    row = [3, 1, 2][: (spec.shape or ())[1]]
    assert sender.arrays({field: [], "values": row}, version) == {"x": [row]}


def test_key_counts_where_keys_are_none(sender: Sender) -> None:
    sent = {"keys": [], "key": ["c", "a", "b"], "values": [3, 1, 2]}
    assert sender.arrays(sent, VK_3) == {"x": [[1, 2, 3]]}
