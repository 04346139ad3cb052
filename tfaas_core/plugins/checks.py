"""Checks of what plugins register: clauses that say what is wrong with it."""

from __future__ import annotations

import inspect
import pickle
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeGuard, get_args

import click
import msgspec

from tfaas_core.codec import Codec
from tfaas_core.listener import Listener
from tfaas_core.operation import Operation
from tfaas_core.plugins.calls import shown
from tfaas_core.plugins.handlers import why_no_handler
from tfaas_core.route import Right, Route
from tfaas_core.routing.pattern import Pattern
from tfaas_core.runtime import Runtime
from tfaas_core.service import Method, Service
from tfaas_core.settings.checks import keys_of
from tfaas_core.settings.tables import PluginsTable
from tfaas_core.system.output.one_line import described

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

_CODEC_NAME = re.compile(r"[a-z0-9-]+")
_LISTENER_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_SERVICE_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_COMMAND_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_SECTION_NAME = re.compile(r"[a-z][a-z0-9_]*")
_KIND_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_MODULE_NAME = re.compile(r"\w+(\.\w+)*")
_MEDIA_NAME = r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}"  # as RFC 6838 has it
_MEDIA_TYPE = re.compile(f"{_MEDIA_NAME}/{_MEDIA_NAME}")

_PLAIN_METHODS = {
    "codec": ("parse", "parse_at_once", "is_heavy", "bind", "encode", "encode_other"),
    "observer": (
        *("begun", "answered", "untold", "finished", "audited"),
        *("uploaded", "switched", "loaded", "unloaded", "crashed"),
    ),
    "guard": ("renew",),
}
"""Methods whose answer nobody awaits."""


def wrong_with_methods(kind: str, part: object) -> Iterator[str]:
    """Which methods of a codec, an observer or a guard nobody would wait for."""
    for method in _PLAIN_METHODS.get(kind, ()):
        if inspect.iscoroutinefunction(getattr(part, method, None)):
            yield (
                f"registers the {kind} {shown(part)}, which has {method} as `async def`, "
                "expected a plain function"
            )


def wrong_with_codec(codec: Codec[Any]) -> Iterator[str]:
    """What is wrong with its class variables."""
    name, types = getattr(codec, "name", None), getattr(codec, "media_types", None)
    if not isinstance(name, str) or _CODEC_NAME.fullmatch(name) is None:
        yield (
            f"registers the codec {shown(codec)} with the name {shown(name)}, "
            "expected lower-case letters, digits and -"
        )
        return
    if not isinstance(types, tuple) or not types:
        yield (
            f"registers the codec `{name}` with the media types {shown(types)}, "
            "expected a tuple like ('text/csv',)"
        )
        return
    for media_type in types:
        if media_type != "*/*" and not _is_media_type(media_type):
            yield (
                f"registers the codec `{name}` with the media type {shown(media_type)}, "
                "expected one in lower case and without parameters, like 'text/csv', or '*/*'"
            )
    if complaint := _why_not_said(Operation(body=codec.body_schema)):
        yield f"registers the codec `{name}` with a body_schema that is no JSON Schema: {complaint}"
    yield from _wrong_with_answers(codec)
    yield from wrong_with_methods("codec", codec)


def _wrong_with_answers(codec: Codec[Any]) -> Iterator[str]:
    types: object = codec.answer_types
    others: object = codec.answers_others
    if not isinstance(types, tuple):
        yield (
            f"registers the codec `{codec.name}` with the answer types {shown(types)}, "
            "expected a tuple like ('text/csv',)"
        )
        return
    for media_type in types:
        if not _is_media_type(media_type):
            yield (
                f"registers the codec `{codec.name}` with the answer type {shown(media_type)}, "
                "expected one in lower case and without parameters, like 'text/csv'"
            )
    if not isinstance(others, bool):
        yield (
            f"registers the codec `{codec.name}`, whose answers_others is {shown(others)}, "
            "expected True or False"
        )


def wrong_with_runtime(name: str, runtime: Runtime) -> Iterator[str]:
    """What keeps model processes from getting it."""
    modules = getattr(runtime, "preload", None)
    if not isinstance(modules, tuple) or not all(
        isinstance(module, str) and _MODULE_NAME.fullmatch(module) for module in modules
    ):
        yield (
            f"registers the runtime `{name}` with the preload {shown(modules)}, "
            "expected a tuple of modules like ('onnxruntime',)"
        )
    suffixes, nouns = runtime.suffixes, runtime.nouns
    if not _is_of_texts(suffixes) or not all(suffixes):
        yield (
            f"registers the runtime `{name}` with the suffixes {shown(suffixes)}, "
            "expected a tuple of file names' ends like ('.onnx',)"
        )
    if not _is_of_texts(nouns) or len(nouns) != 2:
        yield (
            f"registers the runtime `{name}` with the nouns {shown(nouns)}, "
            "expected a pair like ('ONNX file', 'ONNX files')"
        )
    try:
        pickle.dumps(runtime)
    except Exception as error:
        yield (
            f"registers the runtime `{name}`, which cannot be pickled, "
            f"so that no other process can get it: {described(error)}"
        )


def _is_of_texts(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(text, str) for text in value)


def is_struct(value: object) -> TypeGuard[type[msgspec.Struct]]:
    """Whether it may say what a section of the configuration is."""
    return isinstance(value, type) and issubclass(value, msgspec.Struct)


def is_memory_size(value: object) -> bool:
    """Whether it is a number of bytes that memory may have."""
    return type(value) is int and 1 <= value <= 1 << 40


def wrong_with_section(name: str, kind: type[msgspec.Struct]) -> Iterator[str]:
    """What keeps it from being configured, or documented."""
    if name in keys_of(PluginsTable) or _SECTION_NAME.fullmatch(name) is None:
        yield (
            f"registers the section `{name}`, expected lower-case letters, digits and _, "
            f"and none of {', '.join(keys_of(PluginsTable))}"
        )
    try:
        msgspec.inspect.type_info(kind)
    except Exception as error:
        yield f"registers the section `{name}`, whose keys are of no known type: {described(error)}"


def wrong_with_name(hook: str, name: object) -> Iterator[str]:
    """What is wrong with the name of a storage, a runtime, an engine, a table or a memory."""
    if not isinstance(name, str) or _KIND_NAME.fullmatch(name) is None:
        yield (
            f"returned the name {shown(name)} from {hook}, expected letters and digits, "
            "with . _ or - between them"
        )


def wrong_with_route(route: Route) -> Iterator[str]:
    """What keeps it from being served."""
    label = f"registers the route {shown(route.path)}"
    try:
        Pattern.of(route.path)
    except ValueError as error:
        yield f"{label}, {error}"
    methods = route.methods
    if not isinstance(methods, tuple) or not methods:
        yield f"{label} for the methods {shown(methods)}, expected a tuple like ('GET',)"
        methods = ()
    for method in methods:
        if method not in METHODS:
            yield f"{label} for the method {shown(method)}, expected one of {', '.join(METHODS)}"
    if complaint := why_no_handler(route.handler):
        yield f"{label}, but its handler {complaint}"
    if route.right not in (None, *get_args(Right)):
        yield (
            f"{label} with the right {shown(route.right)}, expected None or one of "
            f"{', '.join(get_args(Right))}"
        )
    if complaint := _why_not_said(route.operation):
        yield f"{label} with an operation that is not one: {complaint}"
    if route.express and ("POST" not in methods or route.streams):
        yield f"{label} as express, which is for POST, and for bodies that are not streamed"


def _why_not_said(operation: object) -> str:
    """Why the OpenAPI document cannot say that of a route; empty: it can."""
    if not isinstance(operation, Operation):
        return f"{shown(operation)}, expected an Operation"
    try:
        msgspec.convert(msgspec.to_builtins(operation, str_keys=True), Operation)
    except Exception as error:  # of whatever is in a schema
        return described(error)
    return ""


def wrong_with_listener(listener: Listener) -> Iterator[str]:
    """What keeps it from being bound, and served."""
    name, host, port, serve = _fields(listener, "name", "host", "port", "serve")
    if not isinstance(name, str) or _LISTENER_NAME.fullmatch(name) is None:
        yield (
            f"registers the listener {shown(listener)} with the name {shown(name)}, "
            "expected lower-case letters, digits and -"
        )
        return
    label = f"registers the listener `{name}`"
    if not isinstance(host, str) or not host:
        yield f"{label} on the host {shown(host)}, expected an address like '127.0.0.1'"
    if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port <= 65_535:
        yield f"{label} on the port {shown(port)}, expected an integer from 0 to 65535"
    if not callable(serve):
        yield f"{label}, but what is to serve there is {shown(serve)}, not a function"
    for field, value in zip(("keys", "url"), _fields(listener, "keys", "url"), strict=True):
        if not isinstance(value, str):
            yield f"{label} with the {field} {shown(value)}, expected a text"


def wrong_with_service(service: Service) -> Iterator[str]:
    """What keeps it from being called."""
    name, methods = _fields(service, "name", "methods")
    if not isinstance(name, str) or _SERVICE_NAME.fullmatch(name) is None:
        yield (
            f"registers the service {shown(service)} with the name {shown(name)}, "
            "expected one like 'package.Service'"
        )
        return
    label = f"registers the service `{name}`"
    if not isinstance(methods, Mapping):
        yield f"{label} with the methods {shown(methods)}, expected a mapping of names to Methods"
        return
    for called, method in methods.items():
        if not isinstance(called, str) or not called.isidentifier():
            yield f"{label} with the method {shown(called)}, expected a name like 'Predict'"
        elif not isinstance(method, Method):
            yield f"{label} with {called} as {shown(method)}, expected a Method"
        elif method.right not in get_args(Right):
            yield (
                f"{label} with the right {shown(method.right)} for {called}, expected one of "
                f"{', '.join(get_args(Right))}"
            )
        elif complaint := why_no_handler(method.handler):
            yield f"{label}, but the handler of {called} {complaint}"


def _fields(struct: msgspec.Struct, *names: str) -> list[object]:
    """Their values, which may be of any type, whatever the Struct says."""
    return [getattr(struct, name) for name in names]


def wrong_with_command(command: click.Command, builtin: Collection[str]) -> Iterator[str]:
    """What keeps users from typing it. ``builtin`` are the names of TFaaS's own commands."""
    name = command.name
    if not isinstance(name, str) or _COMMAND_NAME.fullmatch(name) is None:
        yield (
            f"registers the command {shown(command)} with the name {shown(name)}, "
            "expected lower-case letters, digits, - and _"
        )
    elif name in builtin:
        yield f"claims the command `{name}`, which is built in"


def _is_media_type(value: object) -> bool:
    """Whether ``value`` is a media type in lower case, without parameters and wildcards."""
    return isinstance(value, str) and _MEDIA_TYPE.fullmatch(value) is not None
