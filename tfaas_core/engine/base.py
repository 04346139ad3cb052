"""Engine: where servables run, seen from an HTTP worker."""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from tfaas_core.config import Config
from tfaas_core.engine.beginning import BeginsRuns
from tfaas_core.engine.statuses import HostStatus as HostStatus
from tfaas_core.engine.statuses import ServableStatus as ServableStatus
from tfaas_core.events import Tell, tell_nobody
from tfaas_core.models.model import ModelVersion, OtherSignature
from tfaas_core.routing.in_flight import InFlight
from tfaas_core.runtime import Runtime
from tfaas_core.tensors import Array, BatchAxis, Signature
from tfaas_core.visit import Timing

MISSING = "missing: "
"""What is said first of a part of the sandbox that is not there."""


class Candidate(msgspec.Struct, frozen=True):
    """An artifact to be loaded: a stored version's, or an upload's that is not stored yet.

    ``key`` is the stored version's, empty for an upload. ``path`` is the artifact's, local to this
    machine; empty if nobody has looked for it yet. ``batch`` is the batch axis, if it is
    known: the stored version's, or what the upload's examples show. ``signatures`` are the further
    ones that the stored version has, in its order, with their batch axes; None, of an upload: all
    that there are.
    """

    name: str
    key: str
    runtime: str
    path: str
    params: dict[str, Any]
    batch: BatchAxis | None = None
    signatures: dict[str, BatchAxis] | None = None

    @classmethod
    def stored(cls, version: ModelVersion, path: Path | str = "") -> Candidate:
        """A stored version, with all its signatures; ``path`` as above."""
        which = version.name, version.key, version.runtime, str(path)
        batches = {other.signature.name: other.signature.batch for other in version.others}
        return cls(*which, version.params, version.chosen.signature.batch, batches)

    def __str__(self) -> str:
        return self.key or f"the upload {self.name}"


class Loaded(msgspec.Struct, frozen=True):
    """What loading and warming a candidate found out about it."""

    ticket: int
    """Names the loaded candidate in ``run_prepared``, ``adopt`` and ``discard``."""
    signature: Signature
    mergeable: bool
    merge_reason: str = ""
    """How it is known whether rows may share a run; if they may not, why."""
    stateful: bool = False
    """Whether a run may change the answer of a later one."""
    others: tuple[OtherSignature, ...] = ()
    """The further signatures that requests may name."""
    declared: dict[str, Any] = {}
    """As Servable has it, like these two."""
    threads: int = 0
    executor: str = ""
    shared_rows: tuple[int, ...] = ()
    """Of each signature, the first one first: the most rows of several requests that share a run;
    0: any number."""


class Engine(ABC):
    """Runs models for one HTTP worker. All methods are called in its event loop."""

    tells_runs: ClassVar[bool] = False
    """Whether ``Timing.run_rows`` tells how large each run was. If not, each request has one."""
    takes_levels: ClassVar[bool] = False
    """Whether inputs of ``run`` may be Levels, as those of ``beginning`` may; else, numbers."""
    beginning: BeginsRuns | None = None
    """What begins runs without a future, for the server's own engine."""

    @abstractmethod
    async def start(self) -> None:
        """Called once, before anything else. If it raises, ``close`` is all that follows."""

    @abstractmethod
    async def close(self) -> None:
        """Called once, when no request is left."""

    @abstractmethod
    async def prepare(self, candidate: Candidate) -> Loaded:
        """Loads and warms an upload, to see whether it can be served.

        Raises BadBody or CannotServe if it cannot. Ends with ``adopt`` or ``discard``.
        """

    @abstractmethod
    async def run_prepared(
        self,
        ticket: int,
        version: ModelVersion,
        inputs: Sequence[Array],
        rows: int,
        whole: bool = False,
    ) -> list[Array]:
        """Runs the prepared candidate, before it is stored, as ``run`` runs a stored version.

        ``version`` is the record that it may be stored with. One run at a time. Raises CannotServe
        if the process dies of it, ModelLost if it was lost otherwise, DeadlinePassed, and what
        Servable.run raises; the caller discards the candidate then.
        """

    @abstractmethod
    async def adopt(self, ticket: int, version: ModelVersion) -> None:
        """The prepared candidate was stored as ``version``, and serves that from now on: without a
        trace of what it ran before."""

    @abstractmethod
    def discard(self, ticket: int) -> None:
        """The prepared candidate was not stored: forget it."""

    @abstractmethod
    def run(
        self,
        version: ModelVersion,
        inputs: Sequence[Array],
        rows: int,
        whole: bool = False,
        timing: Timing | None = None,
        any_shape: bool = False,
    ) -> Awaitable[list[Array]]:
        """Runs a stored version on conforming inputs; loads it first if it is not loaded.

        ``version`` may be what ``ModelVersion.signed`` gave: then its ``place`` says which of the
        loaded model's signatures is run.
        ``inputs`` are in the signature's order and hold ``rows`` rows; so do the outputs, but for
        constant ones, if rows of several requests share a run. Of a request that runs alone, the
        outputs are what the model answers, of as many rows as it likes. ``whole`` and
        ``any_shape``: see Bound.
        ``timing`` gets how long it took, if anybody asks.
        Raises QueueFull, ModelLost or DeadlinePassed, and what Servable.run raises.
        """

    @abstractmethod
    async def ready(self, version: ModelVersion) -> bool:
        """Loads a stored version if it is not loaded, so that its first ``run`` need not wait.

        Returns whether it was loaded for this worker, and may be warmed up further: a stateful one
        must not see values that no client sent. Raises what ``run`` raises if it cannot be
        loaded.
        """

    @abstractmethod
    def uses(self, version: ModelVersion) -> bool:
        """Whether this worker ran the version, or is about to, and it is still loaded."""

    @abstractmethod
    async def servables(self) -> list[ServableStatus]:
        """What is loaded, or being loaded, sorted by model.

        Returns soon, without what is on hosts that do not tell it soon.
        """

    def hosts(self) -> list[HostStatus]:
        """The other hosts that run models, as this worker knows them."""
        return []

    async def acceleration(self, version: ModelVersion) -> dict[str, Any]:
        """What runs a version: its ``name``, if that is known, and a sentence on why, ``reason``;
        in which ``mode``, and why, ``mode_reason``; and once it is loaded, by how many ``threads``
        and which ``executor``. What there is no choice of, or nobody tells, is left out.
        """
        return {}

    @abstractmethod
    def retire(self, version: ModelVersion) -> None:
        """Unload this version once its last answer is out. A later ``run`` loads it again."""

    def looked_up(self, model: str) -> None:  # noqa: B027 - optional, hence not abstract
        """After an UnknownVersion: the worker has looked again which versions there are."""


class _Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    owners: Mapping[str, str] = {}
    """The module of the plugin that each runtime comes from, as far as that is known."""

    built_in: Collection[str] = ()
    """The modules of the built-in plugins, which are not blamed for how a process ends."""

    stored_runtimes: Callable[[], Collection[str]] | None = None
    """Tells a supervisor the runtimes of stored models. Blocks, and raises what storages raise."""

    tell: Tell = tell_nobody
    """Tells observers that a version was loaded, unloaded, or crashed, each once in the server: by
    whichever part of the engine learns of it, in its event loop. If nobody listens, it does
    nothing. Raises TypeError if a field is of a wrong type. An engine that does not call it works
    as well, but that observers do not hear of its models."""

    def is_built_in(self, runtime: str) -> bool:
        """Whether a runtime is known to come from a built-in plugin."""
        return self.owners.get(runtime) in self.built_in

    def suspect(self, runtime: str) -> str:
        """The plugin that a runtime comes from, if a process for its models ends; or empty."""
        return "" if self.is_built_in(runtime) else self.owners.get(runtime, "")


class EngineContext(_Surroundings, frozen=True):
    """What an engine factory may use."""

    config: Config
    runtimes: Mapping[str, Runtime]
    workers: int
    """How many HTTP workers there are."""


def _no_examples(version: ModelVersion) -> Sequence[Sequence[Array]]:
    return ()


class WorkerContext(EngineContext, frozen=True):
    """What an engine may use in one HTTP worker.

    ``worker`` numbers it below ``workers``. ``engine_socket`` is connected to the one that
    ``Supervisor.attach`` got; None if there is no supervisor. ``artifact`` finds a version's
    model file or folder, and ``examples`` the inputs of the examples that it carries, of the chosen
    signature, as far as they fit; both may block, so they are called from a thread. ``in_flight``:
    the budget in which outputs that other processes send count; None: it is the engine's own.
    """

    worker: int
    engine_socket: socket.socket | None
    artifact: Callable[[ModelVersion], Path]
    examples: Callable[[ModelVersion], Sequence[Sequence[Array]]] = _no_examples
    in_flight: InFlight | None = None


class Supervisor(ABC):
    """The part of an engine that lives in the parent. Called in the parent's event loop."""

    @abstractmethod
    async def start(self) -> None:
        """Called once, before anything else. If it raises, ``close`` is all that follows."""

    @abstractmethod
    async def close(self) -> None:
        """Called once, when the HTTP workers are gone. No process of the engine survives it."""

    @abstractmethod
    def processes(self) -> dict[int, str]:
        """The kinds of the engine's processes by their pids, but for those that hold models."""

    def unavailable(self) -> dict[str, str]:
        """Why models of which runtimes cannot be started now: a sentence for each one's name."""
        return {}

    @abstractmethod
    def attach(self, worker: int, sock: socket.socket) -> None:
        """An HTTP worker was started; ``sock``, now the supervisor's, leads to its engine.

        When it ends, the worker is gone, and another with the same number may follow.
        """


class EngineFactory(ABC):
    """Makes the two parts of one kind of engine. Making one starts nothing: ``start`` does."""

    table: ClassVar[type[msgspec.Struct] | None] = None
    """What ``[engine.KIND]`` is, and ``config.engine_settings`` gives; keys have defaults."""

    @abstractmethod
    def supervisor(self, context: EngineContext) -> Supervisor | None:
        """The parent's part, or None if the engine has none."""

    @abstractmethod
    def engine(self, context: WorkerContext) -> Engine:
        """The part in an HTTP worker."""

    def sandbox(self, context: EngineContext) -> dict[str, str]:
        """What the processes of models are confined by: of each part, what it is made of.

        Of one that this machine or the configuration lacks, MISSING and why. Empty if models are
        not confined. For ``GET /status``, ``tfaas check`` and the log.
        """
        return {}

    def examine(self, context: EngineContext) -> dict[str, str]:
        """Why models of which runtimes cannot be started: a clause for each such runtime's name.

        For ``tfaas check``. It may start processes, which have ended when it returns.
        """
        return {}
