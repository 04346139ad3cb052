"""JSON that a client sends, read or refused."""

from __future__ import annotations

from typing import Any

import msgspec

from tfaas_core.errors import BadBody, DoesNotFit


def read_json(text: bytes, what: str, field: str = "") -> Any:
    """The value that ``text`` spells; errors call it ``what``, and name the ``field``.

    Raises BadBody if it is not JSON.
    """
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadBody(f"{what} is not JSON: {error}", **_details(field)) from None


def read_object(text: bytes, what: str, field: str = "", like: str = "") -> dict[str, Any]:
    """The object that ``text`` spells; ``like``: an example of it.

    Raises BadBody if it is not JSON, DoesNotFit if it is no object.
    """
    value = read_json(text, what, field)
    if not isinstance(value, dict):
        hint = f"; send one like {like}" if like else ""
        raise DoesNotFit(f"{what} is not a JSON object{hint}", **_details(field))
    return value


def _details(field: str) -> dict[str, Any]:
    return {"field": field} if field else {}
