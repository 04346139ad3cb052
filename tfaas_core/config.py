"""Config: ``tfaas.toml``, the environment and ``--set`` as one frozen, checked object."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec

from tfaas_core.configured_path import configured_path
from tfaas_core.errors import ConfigError, DoesNotFit
from tfaas_core.models.model import check_name
from tfaas_core.routing.proxies import Proxies
from tfaas_core.settings.checks import REST, WrongTable, as_table, keys_of
from tfaas_core.settings.origins import wrong_cors
from tfaas_core.settings.sources import changes, read_file
from tfaas_core.settings.tables import (
    CorsTable,
    EngineTable,
    Limits,
    Models,
    PluginsTable,
    Server,
    StorageTable,
    Table,
)
from tfaas_core.system.network.tls import TlsFiles

_OP = re.compile(r"_*[A-Za-z]\w*(>[A-Za-z]\w*)*", re.ASCII)
"""How TensorFlow spells ops, with the namespace that some have."""

_BASE = re.compile(r"(/(?!\.\.?(/|$))[A-Za-z0-9._~-]+)+")
"""Without the parts . and .., which no client sends."""


class Tables(Table, frozen=True):
    """All of ``tfaas.toml``."""

    server: Server = Server()
    storage: StorageTable = StorageTable()
    engine: EngineTable = EngineTable()
    models: Models = Models()
    limits: Limits = Limits()
    cors: CorsTable = CorsTable()
    plugins: PluginsTable = PluginsTable()


class UnknownTable(ConfigError):
    """Somebody asks for the table of a plugin that takes none of that name."""


class Config(Tables, frozen=True):
    """The checked configuration: plain data, which can be pickled for another process."""

    base_dir: Path = msgspec.field(default_factory=Path.cwd)
    """The folder that relative paths start from: the TOML file's, or the current one."""
    file: str = ""
    """The TOML file as errors name it; empty if there is none."""
    changed: tuple[tuple[str, str], ...] = ()
    """What the environment and ``--set`` changed, in order: the path of the key, and the source."""
    sections: Mapping[str, msgspec.Struct] = {}
    """The tables of plugins, checked, by name. Empty until the plugins were asked for theirs."""
    engine_tables: Mapping[str, msgspec.Struct] = {}
    """The tables of engines, checked, by kind; empty until then, too."""

    @property
    def plugins_dir(self) -> Path | None:
        """The folder ``[plugins] dir``; None if there is none. Raises ConfigError."""
        text = self.plugins.dir
        return configured_path(text, self.base_dir, "$.plugins.dir") if text else None

    @property
    def plugin_folders(self) -> tuple[Path, ...]:
        """That folder, if there is one. Raises ConfigError."""
        folder = self.plugins_dir
        return () if folder is None else (folder,)

    @property
    def tls_files(self) -> TlsFiles | None:
        """What the server speaks TLS with; None if it does not. Raises ConfigError."""
        server = self.server
        cert, key, ca = (
            configured_path(getattr(server, name), self.base_dir, f"$.server.{name}")
            for name in ("tls_cert", "tls_key", "tls_client_ca")
        )
        if not server.tls_cert:
            return None
        return TlsFiles(cert, key if server.tls_key else cert, ca if server.tls_client_ca else None)

    def settings(self, name: str) -> Any:
        """``[plugins.NAME]``, as the Struct that a plugin said it is. Raises UnknownTable."""
        if name not in self.sections:
            raise UnknownTable(f"no plugin takes the table `{name}` - at `$.plugins.{name}`")
        return self.sections[name]

    def engine_settings(self, kind: str) -> Any:
        """``[engine.KIND]``, as the Struct that the engine said it is. Raises UnknownTable."""
        if kind not in self.engine_tables:
            raise UnknownTable(f"no engine takes the table `{kind}` - at `$.engine.{kind}`")
        return self.engine_tables[kind]

    def source_of(self, path: str) -> str:
        """Which source to blame for the key at ``path``, as an error names it.

        It may be an element of a list, like ``$.a.b[0]``.
        """
        path = path.partition("[")[0]
        blamed = [source for key, source in self.changed if _is_in(key, path) or _is_in(path, key)]
        return blamed[-1] if blamed else self.file


def load_config(
    path: Path | None = None,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
) -> Config:
    """The configuration of a TOML file, the environment's ``TFAAS_SECTION__KEY`` and overrides.

    ``path`` is None for no file. ``overrides`` are like ``server.port=9000``, and win over the
    environment, which wins over the file. Their values are TOML, or else text as it stands.
    Raises ConfigError if a source cannot be read or does not fit; the message names the source
    and the key; its notes say what else is wrong with that source. The tables of plugins are not
    checked here, since only plugins know them.
    """
    raw: dict[str, Any] = {}
    base_dir = Path.cwd()
    if path is not None:
        raw = read_file(path)
        base_dir = path.absolute().parent
    tables = checked_tables(raw, str(path))
    changed: list[tuple[str, str]] = []
    # Checked after each single change, so that the error can name the one that is to blame.
    for change in changes(raw, environ, overrides):
        change.make(raw)
        tables = checked_tables(raw, change.source)
        changed.append((change.path, change.source))
    values = {field: getattr(tables, field) for field in tables.__struct_fields__}
    return Config(**values, base_dir=base_dir, file=str(path or ""), changed=tuple(changed))


def _is_in(key: str, table: str) -> bool:
    return f"{key}.".startswith(f"{table}.")


def checked_tables(raw: dict[str, Any], source: str) -> Tables:
    """What a TOML document of these tables says. Raises ConfigError, which names ``source``."""
    try:
        tables = as_table(_with_rests(raw), Tables)
        _check_values(tables)
    except ValueError as error:
        first, *others = error.faults if isinstance(error, WrongTable) else [str(error)]
        wrong = ConfigError(f"{source}: {first}")
        for other in others:
            wrong.add_note(f"{source}: {other}")
        raise wrong from None
    return tables


def _with_rests(raw: dict[str, Any]) -> dict[str, Any]:
    """``raw`` with the keys that are not the core's to check in a table of their own."""
    document = dict(raw)
    if isinstance(storage := raw.get("storage"), dict):
        own = keys_of(StorageTable)
        rest = {key: value for key, value in storage.items() if key not in own}
        document["storage"] = {k: v for k, v in storage.items() if k in own} | {REST: rest}
    if isinstance(engine := raw.get("engine"), dict):
        own = keys_of(EngineTable)
        rest = {k: v for k, v in engine.items() if k not in own and isinstance(v, dict)}
        document["engine"] = {k: v for k, v in engine.items() if k not in rest} | {REST: rest}
    if isinstance(plugins := raw.get("plugins"), dict):
        own = keys_of(PluginsTable)
        # What is no table, and nearly a key, is meant to be that key.
        rest = {
            key: value
            for key, value in plugins.items()
            if key not in own and (isinstance(value, dict) or not get_close_matches(key, own))
        }
        document["plugins"] = {k: v for k, v in plugins.items() if k not in rest} | {REST: rest}
    return document


def _check_values(tables: Tables) -> None:
    base = tables.server.base
    if base and _BASE.fullmatch(base) is None:
        raise ValueError(
            "Expected a path like `/tfaas`, starting and not ending with `/`, "
            f"got `{base}` - at `$.server.base`"
        )
    for key in ("tls_key", "tls_client_ca"):
        if getattr(tables.server, key) and not tables.server.tls_cert:
            raise ValueError(f"Expected `tls_cert` beside it - at `$.server.{key}`")
    try:
        Proxies.of(tables.server.proxies, tables.server.client_address_header)
    except ValueError as error:
        raise ValueError(f"{error} - at `$.server.proxies`") from None
    if wrong := wrong_cors(tables.cors):
        raise ValueError(wrong)
    if tables.engine.max_memory_bytes and tables.engine.isolation != "model":
        raise ValueError(
            'Expected 0, or `isolation = "model"` beside it, which has a process for each model - '
            "at `$.engine.max_memory_bytes`"
        )
    if tables.models.default:
        try:
            check_name(tables.models.default)
        except DoesNotFit as error:
            raise ValueError(f"{error.message} - at `$.models.default`") from None
    for index, op in enumerate(tables.models.allow_ops):
        if _OP.fullmatch(op) is None:
            raise ValueError(
                f"Expected the name of an op, like `XlaCallModule`, got `{op}` - "
                f"at `$.models.allow_ops[{index}]`"
            )
