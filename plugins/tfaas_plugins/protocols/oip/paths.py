"""The paths of the Open Inference Protocol, and of Triton's extensions to it."""

from __future__ import annotations

import re

import msgspec

from tfaas_core.errors import MethodNotAllowed, NotFound
from tfaas_core.predict.target import Target
from tfaas_core.routing.pattern import decoded

_SERVER = {
    "": ("server", "GET"),
    "/health/live": ("live", "GET"),
    "/health/ready": ("ready", "GET"),
}
_ROUTES = ("/models", "/models/stats", "/logging", "/repository/index")
"""These have routes of their own, since they take another right; a route's path has one case."""

_MODEL = re.compile(r"/models/([^/]+)(?:/versions/([^/]+))?(?:/(ready|infer|stats|config))?")
_NUMBER = re.compile(r"[0-9]{1,19}")


class Asked(msgspec.Struct, frozen=True):
    """What a path asks for; ``target`` None: of no model in particular."""

    what: str
    target: Target | None = None


def read_path(method: str, raw_path: str) -> Asked:
    """What a path below ``/v2``, as sent, asks for. Raises NotFound and MethodNotAllowed."""
    path = raw_path[len("/v2") :].rstrip("/")
    if (found := _SERVER.get(path.lower())) is not None:
        return _checked(Asked(found[0]), found[1], method)
    if path.lower() in _ROUTES:
        raise NotFound(f"Not Found: it is at /v2{path.lower()}, in small letters")
    match = _MODEL.fullmatch(path)
    if match is None:
        raise NotFound("Not Found")
    name, number, what = match.groups()
    if number is not None and not _NUMBER.fullmatch(number):
        raise NotFound("Not Found: a version is a number")
    target = Target(decoded(name), None if number is None else int(number))
    allowed = "POST" if what == "infer" else "GET"
    return _checked(Asked(what or "metadata", target), allowed, method)


def _checked(asked: Asked, allowed: str, method: str) -> Asked:
    if method == allowed or (allowed == "GET" and method == "HEAD"):
        return asked
    raise MethodNotAllowed("Method Not Allowed", (allowed,))
