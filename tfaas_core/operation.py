"""Operation: what the OpenAPI document says of a route."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct


class Operation(Struct, frozen=True):
    """What cannot be told from the route itself. All of it may be left out.

    The methods, the fields of the path, and the errors that every route of its right may answer
    are known.
    """

    summary: str = ""
    """A clause: ``lists the models``."""

    takes: tuple[str, ...] = ()
    """The media types of a body; empty: it takes none, or, of a POST or PUT, any."""

    body: Mapping[str, Any] = {}
    """What a body is like, as JSON Schema; empty: nobody says."""

    body_is_optional: bool = False

    gives: tuple[str, ...] = ("application/json",)
    """The media types of its answers, but for errors."""

    answer: Mapping[str, Any] = {}
    """What an answer is like, as JSON Schema; empty: nobody says."""

    query: Mapping[str, str] = {}
    """The fields of the query, none of which is required, and what each means."""

    statuses: tuple[Annotated[int, Meta(ge=300, le=599)], ...] = ()
    """Further ones, of errors, or of 300 to 399."""

    below: Mapping[str, Operation] = {}
    """Of a route whose path ends in ``{path...}``: what stands for that, which may have fields, and
    what is said of it: ``models/{name}/infer``."""


OBJECT: Mapping[str, Any] = {"type": "object"}
LIST: Mapping[str, Any] = {"type": "array"}


def object_of(required: tuple[str, ...] = (), **kinds: str) -> Mapping[str, Any]:
    """The schema of an object; each key has a type of JSON."""
    schema: dict[str, Any] = {"type": "object"}
    schema["properties"] = {key: {"type": kind} for key, kind in kinds.items()}
    return schema | ({"required": list(required)} if required else {})
