"""The tables of ``tfaas.toml``, with their keys, what these may be, and what they mean."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from tfaas_core.models.instances import Instances
from tfaas_core.system.resources.cores import usable_cores
from tfaas_core.system.resources.usable_memory import usable_bytes

PositiveInt: TypeAlias = Annotated[int, Meta(ge=1)]
CountOrAuto: TypeAlias = Annotated[int, Meta(ge=0)]
SlowPriority: TypeAlias = Literal["idle", "low", "normal"]
OpPolicy: TypeAlias = Literal["allow-list", "off"]
Deadline: TypeAlias = Annotated[float, Meta(gt=0, le=86_400)]


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
    """HTTP worker processes; 0: one per core, of those that a quota leaves."""
    reserve_worker: bool = True
    """Whether the last of several HTTP workers takes connections only while the others need it."""
    max_body_bytes: PositiveInt = 1_073_741_824
    """The largest body, except for uploads; beyond it: 413."""
    compress_answers: bool = True
    """Whether predictions of more than 64 KiB are compressed by gzip or zstd for clients that take
    that."""
    request_timeout_s: Deadline = 30.0
    """The deadline of a prediction: 504 after it."""
    drain_delay_s: Annotated[float, Meta(ge=0, le=3_600)] = 0.0
    """How long it answers on when it was told to stop, as not ready, before it takes nobody in."""
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
    sandbox: Literal["on", "required", "off"] = "on"
    """Whether HTTP workers are confined, as far as this machine can, wholly, or not at all."""
    writable: tuple[str, ...] = ()
    """Further files and folders that plugins change in HTTP workers."""
    decoders: Literal["all", "large", "off"] = "large"
    """Which pictures are decoded in confined processes: all, those of more than 65,536 pixels, or
    none."""
    programs: bool = False
    """Whether plugins may start other programs in HTTP workers."""
    environment: tuple[str, ...] = ("*",)
    """Patterns of the variables of the environment that HTTP workers keep, beside the usual ones
    and those that hold secrets of this configuration."""

    proxies: tuple[str, ...] = ()
    """Addresses of proxies in front, or networks of them, whose headers are trusted."""
    client_address_header: Annotated[str, Meta(min_length=1)] = "X-Forwarded-For"
    """Where these say which client they speak for: a list of addresses, or Forwarded, of RFC
    7239."""

    @property
    def worker_count(self) -> int:
        """How many HTTP workers there are to be."""
        return self.workers or usable_cores()

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
    """``[engine]``: where and how models run, and the tables ``[engine.KIND]`` of engines."""

    kind: str = "local"
    """Which engine."""
    isolation: Literal["model", "shared", "inline"] = "model"
    """One process for each model, one for all, or the HTTP worker itself."""
    max_loaded_models: PositiveInt = 100
    """Beyond it, the least recently used model is unloaded; each process of it counts."""
    max_memory_bytes: Annotated[int, Meta(ge=0)] = 0
    """Of all models' processes, beyond what they share; as for max_loaded_models; 0: no limit."""
    instances: Instances = 1
    """Processes of each model, at most, while its queue stays long; auto: as many as there are
    cores, while some are idle."""
    max_batch_rows: PositiveInt = 1024
    """The most rows that run together."""
    max_queue_rows: PositiveInt = 8192
    """Rows that may wait for one model: 503 beyond it."""
    max_wait_s: Annotated[float, Meta(ge=0, le=86_400)] = 0.0
    """Of a request for its answer: 503 at once if that will take longer; 0: request_timeout_s."""
    threads: CountOrAuto = 0
    """Threads for each model; 0: chosen when it is loaded."""
    shared_rows: CountOrAuto = 0
    """The most rows of several requests in a run; 0: chosen for each model when it is loaded."""
    busy_poll_us: Annotated[int, Meta(ge=0, le=100_000)] = 400
    """How long a model's process looks for the next request before it sleeps, and an HTTP worker
    for the answer to a request that has the model to itself; 0: not at all."""
    slow_priority: SlowPriority = "idle"
    """The scheduling class of models whose runs keep a core busy for long."""
    sandbox: Literal["on", "required", "off"] = "on"
    """Whether model processes are confined, as far as this machine can, wholly, or not at all."""
    max_model_memory_bytes: Annotated[int, Meta(ge=0)] = 0
    """Of each model's process, beyond what all of them share; 0: seven eighths of the machine's, or
    of its container's."""
    first_model_user: Annotated[int, Meta(ge=1, le=2_140_000_000)] = 1_879_048_192
    """If the server is root, the user id of a model's process is this plus its process id."""
    environment: tuple[str, ...] = ()
    """Further variables of the environment that models' runtimes may see."""
    executable_pages: bool = True
    """Whether models may make machine code and run it, as XLA and oneDNN do."""
    mode: Annotated[str, Meta(min_length=1)] = "usual"
    """How runtimes' libraries run models whose params do not say it: as usual, in a mode that the
    runtime has, or auto: in the fastest, which is found out."""
    tune_s: Annotated[float, Meta(gt=0, le=600)] = 60.0
    """How long it may take to find that out, of one version, before it is loaded as usual."""
    mode_cache: Annotated[str, Meta(min_length=1)] = "cache/modes"
    """The local folder of what was found out."""
    accelerate: Literal["off", "auto"] = "off"
    """Whether a second engine runs models of which it gives the same answers faster."""
    accelerate_cache: Annotated[str, Meta(min_length=1)] = "cache/accelerated"
    """The local folder of what models were converted to for it."""
    rest: dict[str, Any] = {}

    @property
    def model_memory_bytes(self) -> int:
        """What a model's process may take, beyond what all of them share."""
        return self.max_model_memory_bytes or usable_bytes()


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
    """In all lists of a JSON or MessagePack body, and strings of a gRPC message: 413 beyond it."""
    max_lists: PositiveInt = 100_000
    """Lists, objects and their fields in such a body: 413 beyond it."""
    max_json_bytes: PositiveInt = 16_777_216
    """Of a JSON body, or of a text in MessagePack: 413 beyond it."""
    max_bytes_in_flight: PositiveInt = 2_147_483_648
    """Of the bodies that an HTTP worker has in memory, but for uploads: 503 beyond it."""
    max_connections: PositiveInt = 10_000
    """With an HTTP worker: beyond it, those without a request make room, or else 503."""
    head_timeout_s: Deadline = 20.0
    """For the whole head of a request, from its first byte: 408 after it."""
    min_bytes_per_s: Annotated[int, Meta(ge=0)] = 500
    """What a client has to send of a body, and to take of an answer, at least: 408, or the end."""
    pace_window_s: Deadline = 30.0
    """How long a client may be slower than that, or pause."""


class CorsTable(Table, frozen=True):
    """``[cors]``: which pages of other origins may read answers, by their scripts in browsers."""

    origins: tuple[str, ...] = ()
    """Like ``https://lab.example``, or ``*`` for all; none: browsers keep to the server's own."""
    methods: tuple[str, ...] = ("GET", "HEAD", "POST")
    """What their scripts may send."""
    request_headers: tuple[str, ...] = (
        *("Accept", "Authorization", "Content-Encoding", "Content-Type", "X-Request-Id"),
    )
    """Headers that their scripts may set."""
    exposed_headers: tuple[str, ...] = (
        *("RateLimit", "RateLimit-Policy", "Retry-After", "TFaaS-Model", "X-Request-Id"),
    )
    """Headers of answers that their scripts may read."""
    credentials: bool = False
    """Whether browsers may send cookies and client certificates of their own accord."""
    max_age_s: Annotated[int, Meta(ge=0, le=86_400)] = 600
    """For how long browsers need not ask again."""


class PluginsTable(Table, frozen=True):
    """``[plugins]``: which plugins there are, and the tables of those that take one."""

    disabled: tuple[str, ...] = ()
    """Plugins to leave out, by the name of their distribution or module."""
    dir: str = ""
    """A folder, each Python file and package of which is a plugin, too; empty: none."""
    rest: dict[str, Any] = {}
