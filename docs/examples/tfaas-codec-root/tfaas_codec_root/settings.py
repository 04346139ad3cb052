"""What the params of a model say of the ROOT files that it takes."""

from __future__ import annotations

import msgspec

from tfaas_core.errors import DoesNotFit
from tfaas_core.models.model import ModelVersion

_MOST_ELEMENTS = 100_000


class Pad(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the lists of a branch become equally long.

    The first ``length`` elements are taken, None: as many as the model takes. ``value`` stands for
    those that an entry has not.
    """

    length: int | None = None
    value: int | float = 0

    def __post_init__(self) -> None:
        if self.length is not None and not 0 < self.length <= _MOST_ELEMENTS:
            raise ValueError(f"a length is a number from 1 to {_MOST_ELEMENTS}")
        if isinstance(self.value, int) and not -(2**63) <= self.value < 2**64:
            raise ValueError("a value is an integer of 64 bits, or a float")


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``"root"`` of the params. ``tree``: the one that is read, if a request names no other."""

    tree: str = ""
    pad: dict[str, Pad] = {}

    @classmethod
    def of(cls, version: ModelVersion) -> Settings:
        """Those of a version; raises DoesNotFit if they cannot be read."""
        try:
            return msgspec.convert(version.params.get("root", {}), cls)
        except msgspec.ValidationError as error:
            raise DoesNotFit(
                f"params.root of model {version.name!r} is wrong: {error}",
                field="params.root",
                model=version.name,
            ) from None
