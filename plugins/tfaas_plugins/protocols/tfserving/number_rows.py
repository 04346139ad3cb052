"""Rows with a name for each input, whose values were read into arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfaas_core.tensors import Array, Signature
from tfaas_plugins.codecs.json.numbers import MOST_OBJECTS
from tfaas_plugins.codecs.values.number_lists import NumberLists
from tfaas_plugins.protocols.json_values import numbers_of


def numbers_within(rows: list[Any]) -> NumberLists | None:
    """The first in rows by name, if there are any."""
    if len(rows) > MOST_OBJECTS:
        return None
    values = (value for row in rows if type(row) is dict for value in row.values())
    return next((value for value in values if type(value) is NumberLists), None)


def stacked(columns: dict[str, list[Any]], signature: Signature) -> dict[str, Array] | None:
    """The arrays of rows that are all NumberLists; None: some are not, or do not fit."""
    arrays: dict[str, Array] = {}
    for spec in signature.inputs:
        rows = [
            numbers_of(value, spec.numpy_dtype) if type(value) is NumberLists else None
            for value in columns.get(spec.name, ())
        ]
        whole = [row for row in rows if row is not None]
        if len(whole) < len(rows) or len({row.shape for row in whole}) > 1:
            return None
        if whole:
            arrays[spec.name] = np.stack(whole)
    return arrays
