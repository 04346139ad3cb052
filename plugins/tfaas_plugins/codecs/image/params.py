"""What a model's ``params.json`` says about pictures."""

from __future__ import annotations

import reprlib
from typing import Any, Literal, get_args

import msgspec

from tfaas_core.errors import DoesNotFit
from tfaas_core.models.model import ModelVersion
from tfaas_plugins.codecs.image.layout import CHANNELS

Scale = Literal["none", "0-1", "-1-1"]
Resize = Literal["bilinear", "nearest", "off"]
Reduce = Literal["fine", "fast", "off"]

_CHOICES = {"scale": get_args(Scale), "resize": get_args(Resize), "reduce": get_args(Reduce)}


class ImageParams(msgspec.Struct, frozen=True):
    """What the table ``image`` says; and ``img_channels``, None for not given."""

    scale: Scale = "none"
    resize: Resize = "bilinear"
    reduce: Reduce = "fine"
    channels: int | None = None

    @classmethod
    def of(cls, version: ModelVersion) -> ImageParams:
        """Reads a version's params; raises DoesNotFit if a value is none of those there are."""
        table = version.params.get("image")
        if table is None:
            table = {}
        if not isinstance(table, dict):
            raise _wrong(version, "image", table, "an object")
        for key, choices in _CHOICES.items():
            if key in table and table[key] not in choices:
                expected = "one of " + ", ".join(map(repr, choices))
                raise _wrong(version, f"image.{key}", table[key], expected)
        # Clients written in Go send 0 for a field that nobody set.
        channels = version.params.get("img_channels") or None
        if channels is not None and (type(channels) is not int or channels not in CHANNELS):
            raise _wrong(version, "img_channels", channels, "1, 3 or 4")
        known = {key: table[key] for key in _CHOICES if key in table}
        return cls(**known, channels=channels)


def _wrong(version: ModelVersion, key: str, got: Any, expected: str) -> DoesNotFit:
    shown = reprlib.repr(got)
    return DoesNotFit(
        f"params.{key} of model {version.name!r} is {shown}, it should be {expected}",
        field=key,
        expected=expected,
        got=shown,
        model=version.name,
    )
