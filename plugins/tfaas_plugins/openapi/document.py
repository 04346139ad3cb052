"""The OpenAPI 3.1 document of routes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from http.client import responses as phrases
from typing import Any

from tfaas_core import __version__
from tfaas_core.operation import Operation
from tfaas_core.routing.seam import SealedRoute

_FIELD = re.compile(r"\{([^}.]+)(\.\.\.)?\}")
_REST = re.compile(r"\{[^}.]+\.\.\.\}$")
_WITH_BODY = ("POST", "PUT", "PATCH")

_FIELDS = {
    "name": "a model's name",
    "version": "the number of one of its versions",
    "label": "a label, which names one of its versions",
    "file": "a file; it may have slashes",
    "path": "the rest of the path; it may have slashes",
}

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {"type": "string", "description": "what is wrong, where, and what to do"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "a name that never changes"},
    },
}

_ANY = (400, 403, 408, 429, 431, 503)
_GUARDED = (401,)
_OF_BODIES = (413, 415)
_OF_RIGHTS = {
    "read": (404,),
    "predict": (404, 405, 406, 413, 415, 422, 504),
    "upload": (404, 409, 413, 415, 422, 507),
    "delete": (404, 409, 413, 415, 422, 507),
    "admin": (404, 409, 413, 415, 422, 507),
}

_ABOUT = (
    "A model server. A path with GET has HEAD, too. Besides what is listed, a plugin, and what "
    "stands in front of the server, may answer other errors."
)


def document_of(routes: Iterable[SealedRoute], base: str = "") -> dict[str, Any]:
    """What is said of ``routes``, which lie under ``base``."""
    paths: dict[str, dict[str, Any]] = {}
    ids: set[str] = set()
    alike: dict[str, str] = {}
    for route in routes:
        for own, operation in _operations(route):
            # Paths that differ in the names of their fields alone are one.
            path = alike.setdefault(_FIELD.sub(r"{\2}", own), own)
            for method in route.methods:
                said = _said(route, method, path, operation)
                while said["operationId"] in ids:  # /a-b and /a_b
                    said["operationId"] += "_"
                ids.add(said["operationId"])
                paths.setdefault(_template(path), {})[method.lower()] = said
    told = {
        status
        for operations in paths.values()
        for said in operations.values()
        for status in said["responses"]
        if status != "200"
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "TFaaS", "version": __version__, "description": _ABOUT},
        "servers": [{"url": base or "/"}],
        "paths": paths,
        "components": {
            "responses": {status: _error(status) for status in sorted(told)},
            "schemas": {"Error": _ERROR},
        },
    }


def _operations(route: SealedRoute) -> Iterator[tuple[str, Operation]]:
    if not route.operation.below:
        yield route.path, route.operation
    for rest, operation in route.operation.below.items():
        yield _REST.sub("", route.path) + rest, operation


def _template(path: str) -> str:
    return _FIELD.sub(r"{\1}", path)


def _said(route: SealedRoute, method: str, path: str, operation: Operation) -> dict[str, Any]:
    said: dict[str, Any] = {
        "operationId": f"{method.lower()}{re.sub('[^A-Za-z0-9]+', '_', path)}",
        "tags": [route.passage.owner.rpartition(".")[2] or "codecs"],
        "parameters": [*_parameters(path, operation)],
        "responses": _responses(route, method, path, operation),
    }
    if operation.summary:
        said["summary"] = operation.summary
    if method in _WITH_BODY or operation.takes:
        said["requestBody"] = {
            "required": bool(operation.takes) and not operation.body_is_optional,
            "content": _content(operation.takes or ("*/*",), operation.body),
        }
    return said


def _parameters(path: str, operation: Operation) -> Iterator[dict[str, Any]]:
    for name, _rest in _FIELD.findall(path):
        about = {"description": _FIELDS[name]} if name in _FIELDS else {}
        string = {"type": "string", "minLength": 1}
        yield {"name": name, "in": "path", "required": True, "schema": string} | about
    for name, about_it in operation.query.items():
        string = {"type": "string"}
        yield {"name": name, "in": "query", "schema": string, "description": about_it}


def _responses(
    route: SealedRoute, method: str, path: str, operation: Operation
) -> dict[str, dict[str, Any]]:
    answer = {"description": "the answer", "content": _content(operation.gives, operation.answer)}
    errors = {*_ANY, *operation.statuses}
    errors.update(() if route.public else _GUARDED)
    right = route.right or ("read" if method == "GET" else "admin")
    if right != "read" or "{" in path:
        errors.update(_OF_RIGHTS[right])
    if "{version}" in path:
        errors.add(422)
    if method in _WITH_BODY:
        errors.update(_OF_BODIES)
    told = {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(errors)}
    return {"200": answer} | told


def _error(status: str) -> dict[str, Any]:
    error = {"$ref": "#/components/schemas/Error"}
    told = {"description": phrases.get(int(status), "what a plugin says")}
    return told | ({"content": _content(("application/json",), error)} if status >= "400" else {})


def _content(media_types: Iterable[str], schema: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {"schema": schema} if schema else {} for name in media_types}
