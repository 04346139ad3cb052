"""The fields of an infer request: large inputs are read without an object for each number."""

from __future__ import annotations

from typing import Any

import simdjson

from tfaas_plugins.codecs.json.numbers import items_of, number_lists, plain


def read_fields(parsed: simdjson.Object, body: bytes) -> dict[str, Any]:
    """Those of a request, for ``json_text.read``: there may be many numbers in its inputs."""
    fields = items_of(parsed)
    for name, value in fields.items():
        if name == "inputs" and type(value) is simdjson.Array:
            fields[name] = [_input_fields(each, body, place) for place, each in enumerate(value)]
        else:
            fields[name] = plain(value)
    return fields


def _input_fields(parsed: Any, body: bytes, place: int) -> Any:
    if type(parsed) is not simdjson.Object:
        return plain(parsed)
    fields = items_of(parsed)
    for name, value in fields.items():
        is_data = name == "data"
        path = ("inputs", place, name)
        fields[name] = number_lists(value, body, path) if is_data else plain(value)
    return fields
