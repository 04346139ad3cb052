"""The document that JSON and MessagePack spell alike: values, or inputs by name."""

from __future__ import annotations

from typing import Any, TypeVar

from tfaas_core.codec import Document
from tfaas_core.errors import DoesNotFit
from tfaas_core.models.versions import check_number
from tfaas_core.texts.spelling import respelled
from tfaas_core.values.numbers import describe


class ValuesDocument(Document):
    """``values``, or ``inputs`` by name, as the body spells them; None: not sent."""

    values: Any = None
    keys: list[str] | None = None
    inputs: dict[str, Any] | None = None
    booleans: bool = True
    """Whether a true or false may be among the values."""


D = TypeVar("D", bound=ValuesDocument)

_FIELDS = frozenset(
    (
        *("model", "name", "version", "label", "signature_name", "signature"),
        *("values", "value", "keys", "key", "inputs"),
    )
)


def document_of(fields: dict[str, Any], kind: type[D]) -> D:
    """The document of these fields; ``name``, ``key`` and ``value`` are read as aliases.

    The names of fields may be in another case, see ``respelled``. Raises DoesNotFit if a field
    is of a wrong type, or values are sent in two ways.
    """
    if not _FIELDS.issuperset(fields):
        fields = respelled(fields, _FIELDS)
    version, label = fields.get("version"), fields.get("label")
    document = kind(
        model=_model(fields),
        version=version if version is None else check_number(version),
        label=label if label is None else _label(label),
        values=_values(fields),
        keys=_keys(fields),
        inputs=_inputs(fields),
    )
    if "signature_name" in fields or "signature" in fields:
        document.signature = _signature(fields)
    if document.inputs is not None and document.values is not None:
        raise DoesNotFit("both values and inputs are sent, send one of them", field="inputs")
    return document


def _model(fields: dict[str, Any]) -> str | None:
    # Clients written in Go send "" for a field that nobody set.
    for field in ("model", "name"):
        value = fields.get(field)
        if value is not None and value != "":
            if type(value) is not str:
                raise _wrong_type(field, value, "a model's name as a string")
            return value
    return None


def _label(label: Any) -> str | None:
    if type(label) is not str:
        raise _wrong_type("label", label, "a label of the model as a string")
    return label or None


def _signature(fields: dict[str, Any]) -> str | None:
    asked: str | None = None
    for field in ("signature_name", "signature"):
        value = fields.get(field)
        if value is None or value == "":
            continue
        if type(value) is not str:
            raise _wrong_type(field, value, "the name of the model's signature as a string")
        if asked not in (None, value):
            raise DoesNotFit(
                f"signature_name is {asked[:80]!r}, signature is {value[:80]!r}; send one of them",
                field=field,
            )
        asked = value
    return asked


def _values(fields: dict[str, Any]) -> Any:
    values = fields.get("values")
    return fields.get("value") if values is None else values


def _inputs(fields: dict[str, Any]) -> dict[str, Any] | None:
    inputs = fields.get("inputs")
    if inputs is None or type(inputs) is dict:
        return inputs
    raise _wrong_type("inputs", inputs, "an object with a value for each input")


def _keys(fields: dict[str, Any]) -> list[str] | None:
    keys = fields.get("keys")
    if keys is None or keys == []:
        # Clients written in Go send [] for a list that nobody filled.
        keys = fields.get("key")
        if keys is None or keys == []:
            return None
    if type(keys) is not list:
        raise _wrong_type("keys", keys, "a list of strings")
    try:
        "".join(keys)
    except TypeError:
        index = next(i for i, key in enumerate(keys) if type(key) is not str)
        raise _wrong_type(f"keys[{index}]", keys[index], "a string") from None
    return keys


def _wrong_type(field: str, value: Any, expected: str) -> DoesNotFit:
    got = describe(value)
    return DoesNotFit(f"{field} is {got}, send {expected}", field=field, expected=expected, got=got)
