"""Config: ``tfaas.toml``, the environment and ``--set`` as one frozen, checked object."""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin

import msgspec
from msgspec import Meta

from tfaas_core.errors import ConfigError, DoesNotFit
from tfaas_core.models.model import check_name

PositiveInt: TypeAlias = Annotated[int, Meta(ge=1)]
CountOrAuto: TypeAlias = Annotated[int, Meta(ge=0)]
SlowPriority: TypeAlias = Literal["idle", "low", "normal"]
Deadline: TypeAlias = Annotated[float, Meta(gt=0, le=86_400)]


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of ``tfaas.toml``: its fields are its keys."""


class Server(Table, frozen=True):
    """``[server]``: where and how HTTP is served."""

    host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8083
    """0: any free port."""
    base: str = ""
    """The prefix of every path: empty, or like ``/tfaas``."""
    workers: CountOrAuto = 0
    """HTTP worker processes; 0: one per core."""
    max_body_bytes: PositiveInt = 1_073_741_824
    request_timeout_s: Deadline = 30.0
    """The deadline of a prediction."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"


class StorageTable(Table, frozen=True):
    """``[storage]``: the kind of storage, and the rest of the table, which that kind checks."""

    kind: str = "filesystem"
    rest: dict[str, Any] = {}


class EngineTable(Table, frozen=True):
    """``[engine]``: where and how models run."""

    kind: str = "local"
    isolation: Literal["model", "shared", "inline"] = "model"
    """One process for each model, one for all, or the HTTP worker itself."""
    max_loaded_models: PositiveInt = 100
    max_batch_rows: PositiveInt = 1024
    max_queue_rows: PositiveInt = 8192
    """Rows that may wait for one model."""
    threads: CountOrAuto = 0
    """Threads for each model; 0: chosen when it is loaded."""
    busy_poll_us: Annotated[int, Meta(ge=0, le=100_000)] = 400
    """How long a model's process looks for the next request before it sleeps, and an HTTP worker
    for the answer to a request that has the model to itself; 0: not at all."""
    slow_priority: SlowPriority = "idle"
    """The scheduling class of models whose runs keep a core busy for long."""


class Models(Table, frozen=True):
    """``[models]``: which versions are kept, and which model is the default one."""

    keep_versions: PositiveInt = 3
    default: str = ""
    """Empty: the newest upload."""


class Limits(Table, frozen=True):
    """``[limits]``: what one request may ask for."""

    max_upload_bytes: PositiveInt = 2_147_483_648
    max_unpacked_bytes: PositiveInt = 8_589_934_592
    """Of a bundle."""
    max_bundle_files: PositiveInt = 10_000
    """Files and folders in a bundle."""
    max_image_pixels: PositiveInt = 50_000_000
    """Of all images of a request."""


class PluginsTable(Table, frozen=True):
    """``[plugins]``: which plugins are left out."""

    disabled: tuple[str, ...] = ()
    """Distribution or module names."""


class Tables(Table, frozen=True):
    """All of ``tfaas.toml``."""

    server: Server = Server()
    storage: StorageTable = StorageTable()
    engine: EngineTable = EngineTable()
    models: Models = Models()
    limits: Limits = Limits()
    plugins: PluginsTable = PluginsTable()


class Config(Tables, frozen=True):
    """The checked configuration: plain data, which can be pickled for another process."""

    base_dir: Path = msgspec.field(default_factory=Path.cwd)
    """The folder that relative paths start from: the TOML file's, or the current one."""


def load_config(
    path: Path | None = None,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
) -> Config:
    """The configuration of a TOML file, the environment's ``TFAAS_SECTION__KEY`` and overrides.

    ``path`` is None for no file. ``overrides`` are like ``server.port=9000``, and win over the
    environment, which wins over the file. Their values are TOML, or else text as it stands.
    Raises ConfigError if a source cannot be read or does not fit; the message names the source
    and the key.
    """
    raw: dict[str, Any] = {}
    base_dir = Path.cwd()
    if path is not None:
        raw = _read(path)
        base_dir = path.absolute().parent
    tables = _checked(raw, str(path))
    changes = [*_from_environment(environ), *_from_overrides(overrides)]
    secrets = {name for value in (raw, *(value for *_, value in changes)) for name in _env(value)}
    # Checked after each single change, so that the error can name the one that is to blame.
    for source, keys, value in changes:
        if source.removeprefix(_VARIABLE) in secrets:
            continue
        _put(raw, keys, value)
        tables = _checked(raw, source)
    return Config(**{f: getattr(tables, f) for f in tables.__struct_fields__}, base_dir=base_dir)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"there is no configuration file {path}") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} is not TOML: {_as_json(path) or error}") from None


def _as_json(path: Path) -> str:
    """What to do with the configuration of an original TFaaS server; empty: it is none."""
    try:
        is_json = isinstance(json.loads(path.read_bytes()), dict)
    except (ValueError, RecursionError):
        is_json = False
    return f"it is JSON; `tfaas migrate {path}` prints the TOML that it becomes" if is_json else ""


_LARGEST = 2**63 - 1

_Change: TypeAlias = tuple[str, list[str], Any]
"""The source of a change, as errors name it, the keys down to the value, and the value."""

# Kubernetes sets these in every pod next to a service that is called "tfaas".
_KUBERNETES = re.compile(r"TFAAS_(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_\w+)")
_VARIABLE = "environment variable "
_OF_THE_CLIENT = {"TFAAS_URL"}


def _env(value: Any) -> Iterator[str]:
    """The variables that hold secrets: those of each ``{ env = "NAME" }``."""
    for key, inner in value.items() if isinstance(value, dict) else ():
        if key == "env" and isinstance(inner, str):
            yield inner
        yield from _env(inner)


def _from_environment(environ: Mapping[str, str]) -> Iterator[_Change]:
    for name in sorted(environ):
        if name.startswith("TFAAS_") and not _is_foreign(name, environ[name]):
            keys = name.removeprefix("TFAAS_").lower().split("__")
            yield f"{_VARIABLE}{name}", keys, _value(environ[name])


def _is_foreign(name: str, value: str) -> bool:
    if name in _OF_THE_CLIENT:
        return True
    of_a_service = _KUBERNETES.fullmatch(name) or re.match(r"(tcp|udp|sctp)://", value)
    return "__" not in name and of_a_service is not None


def _from_overrides(overrides: Sequence[str]) -> Iterator[_Change]:
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals:
            raise ConfigError(f"--set {override}: write it as key=value, like server.port=9000")
        yield f"--set {override}", key.strip().split("."), _value(text)


def _value(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    return parsed["value"] if len(parsed) == 1 else text


def _put(raw: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    table = raw
    for key in keys[:-1]:
        if not isinstance(table.get(key), dict):
            table[key] = {}
        table = table[key]
    table[keys[-1]] = value


def _checked(raw: dict[str, Any], source: str) -> Tables:
    document = dict(raw)
    if isinstance(storage := raw.get("storage"), dict):
        rest = {key: value for key, value in storage.items() if key != "kind"}
        document["storage"] = {k: v for k, v in storage.items() if k == "kind"} | {"rest": rest}
    try:
        _check_integers(raw, "$")
        _check_keys(document, Tables, "$")
        tables = msgspec.convert(document, Tables)
        _check_values(tables)
    except ValueError as error:
        raise ConfigError(f"{source}: {error}") from None
    return tables


def _check_keys(document: dict[str, Any], struct: type[Table], path: str) -> None:
    """Unknown keys and choices, in words that help more than msgspec's own."""
    types = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}
    for key, value in document.items():
        expected = types.get(key)
        if expected is None:
            raise ValueError(_unknown(key, value, list(types), path))
        if get_origin(expected) is Literal and isinstance(value, str):
            _check_choice(value, get_args(expected), f"{path}.{key}")
        elif isinstance(value, dict) and isinstance(expected, type) and expected is not dict:
            _check_keys(value, expected, f"{path}.{key}")


def _check_integers(value: Any, path: str) -> None:
    """What TOML has no room for, no message to another process has either."""
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise ValueError(f"Expected `int` <= {_LARGEST} - at `{path}`")
    if isinstance(value, dict):
        for key, inner in value.items():
            _check_integers(inner, f"{path}.{key}")


def _unknown(key: str, value: Any, known: list[str], path: str) -> str:
    if path == "$.plugins" and isinstance(value, dict):
        return f"no plugin takes the table `{key}` - at `{path}.{key}`"
    what = "section" if path == "$" else "key"
    if near := difflib.get_close_matches(key, known, n=2):
        hint = "did you mean " + " or ".join(f"`{name}`" for name in near) + "?"
    else:
        hint = f"there are: {', '.join(known)}"
    return f"unknown {what} `{key}` - at `{path}.{key}`; {hint}"


def _check_choice(value: str, choices: Sequence[str], path: str) -> None:
    if value not in choices:
        listed = ", ".join(f"`{choice}`" for choice in choices)
        raise ValueError(f"Expected one of {listed}, got `{value}` - at `{path}`")


def _check_values(tables: Tables) -> None:
    base = tables.server.base
    if base and re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", base) is None:
        raise ValueError(
            "Expected a path like `/tfaas`, starting and not ending with `/`, "
            f"got `{base}` - at `$.server.base`"
        )
    if tables.models.default:
        try:
            check_name(tables.models.default)
        except DoesNotFit as error:
            raise ValueError(f"{error.message} - at `$.models.default`") from None
