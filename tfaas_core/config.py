"""Config: ``tfaas.toml``, the environment and ``--set`` as one frozen, checked object."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from tfaas_core.configured_path import configured_path
from tfaas_core.errors import ConfigError, DoesNotFit
from tfaas_core.models.model import check_name
from tfaas_core.settings.checks import REST, WrongTable, as_table, keys_of
from tfaas_core.settings.sources import changes, read_file
from tfaas_core.system.tls import TlsFiles

PositiveInt: TypeAlias = Annotated[int, Meta(ge=1)]
CountOrAuto: TypeAlias = Annotated[int, Meta(ge=0)]
SlowPriority: TypeAlias = Literal["idle", "low", "normal"]
OpPolicy: TypeAlias = Literal["allow-list", "off"]
Deadline: TypeAlias = Annotated[float, Meta(gt=0, le=86_400)]


_OP = re.compile(r"_*[A-Za-z]\w*(>[A-Za-z]\w*)*", re.ASCII)
"""How TensorFlow spells ops, with the namespace that some have."""

_BASE = re.compile(r"(/(?!\.\.?(/|$))[A-Za-z0-9._~-]+)+")
"""Without the parts . and .., which no client sends."""


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of ``tfaas.toml``: its fields are its keys."""


class Server(Table, frozen=True):
    """``[server]``: where and how HTTP is served."""

    host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    """The address to listen on."""
    open: bool = False
    """Whether others than this machine may reach the server though no guard asks who they are."""
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8083
    """0: any free port, which is printed."""
    admin_host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    """The address to listen on for management, if admin_port is set."""
    admin_port: Annotated[int, Meta(ge=-1, le=65_535)] = -1
    """The port of all that is not prediction, which then is not on server.port; -1: that one has
    everything; 0: any free port, which is printed."""
    base: str = ""
    """The prefix of every path: empty, or like ``/tfaas``."""
    workers: CountOrAuto = 0
    """HTTP worker processes; 0: one per core."""
    max_body_bytes: PositiveInt = 1_073_741_824
    """The largest body, except for uploads; beyond it: 413."""
    request_timeout_s: Deadline = 30.0
    """The deadline of a prediction: 504 after it."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe records that are logged."""
    log_format: Literal["text", "json"] = "text"
    """JSON is one line a record; in text, a traceback takes more."""
    tls_cert: str = ""
    """A file of the server's certificate, in PEM, with those that it is signed with; empty: plain
    HTTP."""
    tls_key: str = ""
    """The file of the certificate's key; empty: tls_cert has it, too."""
    tls_client_ca: str = ""
    """A file of certificates that those of clients must be signed with; empty: they need none."""

    @property
    def has_admin_port(self) -> bool:
        """Whether management has a port of its own."""
        return self.admin_port >= 0

    @property
    def scheme(self) -> str:
        """That of its URLs."""
        return "https" if self.tls_cert else "http"


class StorageTable(Table, frozen=True):
    """``[storage]``: the kind of storage, and the rest of the table, which that kind checks."""

    kind: str = "filesystem"
    """Which storage; the other keys of the table are that storage's."""
    quota_bytes: CountOrAuto = 0
    """Of all versions of all models together: 507 beyond it; 0: as much as there is room for."""
    rest: dict[str, Any] = {}


class EngineTable(Table, frozen=True):
    """``[engine]``: where and how models run."""

    kind: str = "local"
    """Which engine."""
    isolation: Literal["model", "shared", "inline"] = "model"
    """One process for each model, one for all, or the HTTP worker itself."""
    max_loaded_models: PositiveInt = 100
    """Beyond it, the least recently used model is unloaded."""
    max_batch_rows: PositiveInt = 1024
    """The most rows that run together."""
    max_queue_rows: PositiveInt = 8192
    """Rows that may wait for one model: 503 beyond it."""
    max_wait_s: Annotated[float, Meta(ge=0, le=86_400)] = 0.0
    """Of a request for its answer: 503 at once if that will take longer; 0: request_timeout_s."""
    threads: CountOrAuto = 0
    """Threads for each model; 0: chosen when it is loaded."""
    busy_poll_us: Annotated[int, Meta(ge=0, le=100_000)] = 400
    """How long a model's process looks for the next request before it sleeps, and an HTTP worker
    for the answer to a request that has the model to itself; 0: not at all."""
    slow_priority: SlowPriority = "idle"
    """The scheduling class of models whose runs keep a core busy for long."""
    sandbox: Literal["on", "required", "off"] = "on"
    """Whether model processes are confined, as far as this machine can, wholly, or not at all."""
    max_model_memory_bytes: Annotated[int, Meta(ge=0)] = 0
    """Of each model's process, beyond what all of them share; 0: as much as the machine has."""
    first_model_user: Annotated[int, Meta(ge=1, le=2_140_000_000)] = 1_879_048_192
    """If the server is root, the user id of a model's process is this plus its process id."""
    environment: tuple[str, ...] = ()
    """Further variables of the environment that models' runtimes may see."""
    executable_pages: bool = True
    """Whether models may make machine code and run it, as XLA and fast matrix products do."""


class Models(Table, frozen=True):
    """``[models]``: which versions are kept, and which model is the default one."""

    keep_versions: PositiveInt = 3
    """How many versions of a model are kept; older ones are removed after each upload."""
    default: str = ""
    """The model of requests that name none; empty: the newest upload."""
    policy: OpPolicy = "allow-list"
    """Whether TensorFlow models are vetted: by the list of ops that compute on tensors alone."""
    allow_ops: tuple[str, ...] = ()
    """TensorFlow's ops that models may use beside those of the list."""
    max_models: CountOrAuto = 0
    """Models that may be stored: 507 for an upload of one more; 0: any number."""


class Limits(Table, frozen=True):
    """``[limits]``: what a client may ask for, and how fast it has to be."""

    max_upload_bytes: PositiveInt = 2_147_483_648
    """Of the whole body of an upload: 413 beyond it."""
    max_unpacked_bytes: PositiveInt = 8_589_934_592
    """What a bundle may unpack to: 413 beyond it."""
    max_bundle_files: PositiveInt = 10_000
    """Files and folders in a bundle: 413 beyond it."""
    max_image_pixels: PositiveInt = 50_000_000
    """Of all images of a request: 413 beyond it."""
    max_values: PositiveInt = 1_000_000
    """In all lists of a JSON or MessagePack body: 413 beyond it."""
    max_lists: PositiveInt = 100_000
    """Lists, objects and their fields in such a body: 413 beyond it."""
    max_json_bytes: PositiveInt = 16_777_216
    """Of a JSON body, or of a text in MessagePack: 413 beyond it."""
    max_bytes_in_flight: PositiveInt = 2_147_483_648
    """Of the bodies that an HTTP worker has in memory, but for uploads: 503 beyond it."""
    head_timeout_s: Deadline = 20.0
    """For the whole head of a request, from its first byte: 408 after it."""
    min_bytes_per_s: Annotated[int, Meta(ge=0)] = 500
    """What a client has to send of a body, and to take of an answer, at least: 408, or the end."""
    pace_window_s: Deadline = 30.0
    """How long a client may be slower than that, or pause."""


class PluginsTable(Table, frozen=True):
    """``[plugins]``: which plugins there are, and the tables of those that take one."""

    disabled: tuple[str, ...] = ()
    """Plugins to leave out, by the name of their distribution or module."""
    dir: str = ""
    """A folder, each Python file and package of which is a plugin, too; empty: none."""
    rest: dict[str, Any] = {}


class Tables(Table, frozen=True):
    """All of ``tfaas.toml``."""

    server: Server = Server()
    storage: StorageTable = StorageTable()
    engine: EngineTable = EngineTable()
    models: Models = Models()
    limits: Limits = Limits()
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

    @property
    def plugins_dir(self) -> Path | None:
        """The folder ``[plugins] dir``; None if there is none. Raises ConfigError."""
        text = self.plugins.dir
        return configured_path(text, self.base_dir, "$.plugins.dir") if text else None

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

    def source_of(self, path: str) -> str:
        """Which source to blame for the key at ``path``, as an error names it."""
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
    if isinstance(plugins := raw.get("plugins"), dict):
        own = keys_of(PluginsTable)
        rest = {k: v for k, v in plugins.items() if isinstance(v, dict) and k not in own}
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
