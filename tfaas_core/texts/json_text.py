"""JSON that a client sends, read or refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tfaas_core.errors import BadBody, DoesNotFit, TooLarge

MAX_REQUEST_BYTES = 64 * 1024
"""Of a body that has a few fields, and is read at once, in the event loop."""

MAX_ITEMS = 100_000
"""Lists, objects, fields and values of a document: as many objects are made at once."""


def read_json(text: bytes, what: str, field: str = "") -> Any:
    """The value that ``text`` spells; errors call it ``what``, and name the ``field``.

    Raises BadBody if it is not JSON, TooLarge if it may hold more than MAX_ITEMS.
    """
    if len(text) > MAX_ITEMS and sum(map(text.count, (b"[", b"{", b","))) > MAX_ITEMS:
        raise TooLarge(
            f"{what} has more than {MAX_ITEMS} lists, objects and values", **_details(field)
        )
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadBody(f"{what} is not JSON: {error}", **_details(field)) from None


def read_object(text: bytes, what: str, field: str = "", like: str = "") -> dict[str, Any]:
    """The object that ``text`` spells; ``like``: an example of it.

    Raises BadBody if it is not JSON, DoesNotFit if it is no object, TooLarge as ``read_json``.
    """
    value = read_json(text, what, field)
    if not isinstance(value, dict):
        hint = f"; send one like {like}" if like else ""
        raise DoesNotFit(f"{what} is not a JSON object{hint}", **_details(field))
    return value


def read_fields_of(body: bytes, like: str) -> dict[str, Any]:
    """The object that a request's body spells, of a few fields, as in ``like``.

    Raises BadBody, DoesNotFit, and TooLarge beyond MAX_REQUEST_BYTES.
    """
    if len(body) > MAX_REQUEST_BYTES:
        raise TooLarge(
            f"the body has {len(body)} bytes, {MAX_REQUEST_BYTES} are allowed; "
            f"send an object like {like}",
            expected=MAX_REQUEST_BYTES,
            got=len(body),
        )
    return read_object(body, "the body", like=like)


def _details(field: str) -> dict[str, Any]:
    return {"field": field} if field else {}


def plain(fields: Mapping[Any, Any]) -> dict[str, Any]:
    """``fields``, as far as JSON and MessagePack can hold their values; of others, their text."""
    return {str(name): _plain(value) for name, value in fields.items()}


def _plain(value: Any) -> Any:
    try:
        builtins = msgspec.to_builtins(value, enc_hook=_told, str_keys=True)
        msgspec.msgpack.encode(builtins)
        msgspec.json.encode(builtins)
    except Exception:  # an integer of more than 64 bits, say, or an object that has no text
        return repr(type(value))
    return builtins


def _told(value: Any) -> Any:
    # NumPy's values have it.
    tolist = getattr(value, "tolist", None)
    return tolist() if callable(tolist) else str(value)
