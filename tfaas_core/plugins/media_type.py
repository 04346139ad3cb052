"""Media types, as RFC 6838 lets them be called."""

from __future__ import annotations

import re

_NAME = r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}"
_MEDIA_TYPE = re.compile(f"{_NAME}/{_NAME}")


def is_media_type(value: object) -> bool:
    """Whether ``value`` is a media type in lower case, without parameters and wildcards."""
    return isinstance(value, str) and _MEDIA_TYPE.fullmatch(value) is not None
