"""UsualBody: the small JSON body that nearly all infer requests have, and nothing else.

It is read by its types, in one call, which makes no objects but those that are needed. What has
another field, or a value of another type, is read by ``json_text`` and ``requests``, which know
what else there may be, and have words for what is wrong.
"""

from __future__ import annotations

import msgspec

from tfaas_core.settings.tables import Limits
from tfaas_core.texts.unreadable import UNREADABLE
from tfaas_plugins.codecs.json.numbers import SMALLEST_BYTES
from tfaas_plugins.codecs.values.bounds import check_json

_Parameters = dict[str, bool | str]


class UsualInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """An input of numbers."""

    name: str
    datatype: str
    shape: list[int]
    data: list[int | float]


class UsualOutput(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """An output that is asked for, as it is."""

    name: str
    parameters: _Parameters = {}


class UsualBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """All of the request."""

    inputs: list[UsualInput]
    id: str | None = None
    parameters: _Parameters = {}
    outputs: list[UsualOutput] = []


_DECODER = msgspec.json.Decoder(UsualBody)


def usual_body(body: bytes, limits: Limits) -> UsualBody | None:
    """What ``body`` spells; None: it is not as usual. Raises TooLarge beyond ``limits``."""
    if len(body) >= SMALLEST_BYTES:
        return None
    check_json(body, limits)
    try:
        return _DECODER.decode(body)
    except (*UNREADABLE, ValueError):
        return None
