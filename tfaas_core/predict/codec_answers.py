"""Codec answers: what a codec's methods have to return.

Each check raises TypeError or ValueError, and says why.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

import numpy as np

from tfaas_core.codec import MODEL_HEADER, Document, Encoded
from tfaas_core.routing.sendable import SERVERS_OWN, check_headers, check_media_type
from tfaas_core.tensors import Bound

_SERVERS_OWN = SERVERS_OWN | {MODEL_HEADER.lower()}


def checked_document(document: Any) -> Document:
    """What ``parse`` returned."""
    _check("parse returned", document, Document)
    for name, kind in (("model", str), ("version", int), ("label", str), ("signature", str)):
        value = getattr(document, name)
        if value is not None:
            _check(f"parse returned a Document whose {name} is", value, kind)
    return document  # type: ignore[no-any-return]


def checked_bound(bound: Any) -> Bound:
    """What ``bind`` returned; that the arrays fit the model is not looked at."""
    _check("bind returned", bound, Bound)
    of = "bind returned a Bound whose"
    _check(f"{of} arrays are", bound.arrays, Mapping)
    for name, array in bound.arrays.items():
        _check(f"{of} arrays have the name", name, str)
        _check(f"{of} array {name!r} is", array, np.ndarray)
    _check(f"{of} rows are", bound.rows, int)
    _check(f"{of} single is", bound.single, bool)
    _check(f"{of} whole is", bound.whole, bool)
    if bound.rows < 0:
        raise ValueError(f"{of} rows are {bound.rows}, expected 0 or more")
    return bound  # type: ignore[no-any-return]


def checked_encoded(encoded: Any, step: str) -> Encoded:
    """What ``step``, which is ``encode`` or ``encode_other``, returned."""
    _check(f"{step} returned", encoded, Encoded)
    _check(f"{step} returned an Encoded whose body is", encoded.body, bytes)
    if encoded.pieces is not None:
        _check(f"{step} returned an Encoded whose pieces are", encoded.pieces, Generator)
    check_media_type(encoded.media_type)
    check_headers(encoded.headers, _SERVERS_OWN)
    return encoded  # type: ignore[no-any-return]


def _check(what: str, value: object, kind: type) -> None:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError(f"{what} {value!r:.100}, not of the type {kind.__name__}")
