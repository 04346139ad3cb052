"""Instances: how many processes a version of a model may have."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

Instances: TypeAlias = Annotated[int, Meta(ge=1, le=64)] | Literal["auto"]
"""At most; auto: as many as there are cores."""
