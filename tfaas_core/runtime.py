"""Runtime: makes a Servable, something that answers, of an artifact, a model's file or folder."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, TypeAlias

import msgspec

from tfaas_core.archives import BZIP2, XZ, ZIP, ZSTD, archive_at
from tfaas_core.config import EngineTable, SlowPriority
from tfaas_core.errors import SEE_LOG, CannotServe, TfaasError, plugin_failed
from tfaas_core.models.params import Params
from tfaas_core.tensors import Array, Signature

Shapes: TypeAlias = Sequence[tuple[int | None, ...]]

_REPACK = " (this is a tarball or file compressed otherwise than by gzip: use tar cfz)"
_ADVICE = {
    ZIP: " (this is a zip archive, like a .keras file: use Keras's model.export, "
    "and send a tarball of its folder)",
    BZIP2: _REPACK,
    XZ: _REPACK,
    ZSTD: _REPACK,
}


class LoadOptions(msgspec.Struct, frozen=True):
    """How a model is to be loaded, and run then; its defaults are for tests and tools.

    ``threads``: how many a run may use; 0: the servable chooses. The others are for whoever calls
    the servable: ``max_batch_rows``, the most rows of a run; ``busy_poll_s``, for how long its
    process looks for the next request before it sleeps; ``slow_priority``, what the scheduler is
    told of a process whose runs keep a core busy for long.
    """

    threads: int = 0
    max_batch_rows: int = 1024
    busy_poll_s: float = 0.0
    slow_priority: SlowPriority = "normal"

    @classmethod
    def of(cls, engine: EngineTable) -> LoadOptions:
        """What the configuration says."""
        options = cls(engine.threads, engine.max_batch_rows)
        if engine.isolation != "model":
            # Threads that share one interpreter would only be in each other's way.
            return options
        return msgspec.structs.replace(
            options, busy_poll_s=engine.busy_poll_us / 1e6, slow_priority=engine.slow_priority
        )


_log = logging.getLogger("tfaas.runtime")


class Independence(msgspec.Struct, frozen=True):
    """Whether each row of a model's outputs is proven to depend on that row of the inputs alone.

    ``reason``, if it is not: a clause that says why, and names the node, such as "node 'x' (Max)
    takes the largest of all rows". ``by_shape``: the model's file does not tell the shapes of its
    inputs, but once a request has shown them, it may be proven for these.
    """

    proven: bool
    reason: str = ""
    by_shape: bool = False


class Servable(ABC):
    """A loaded model. Used from one thread at a time.

    What it says of itself is checked once, right after the load: of another type, even one of
    NumPy's scalars, its model is a CannotServe that names the plugin.
    """

    signature: Signature

    stateful: bool
    """Whether a run may change the answer of a later one, or draws random numbers."""

    def independence(self, shapes: Shapes | None = None) -> Independence:
        """Whether rows of different requests may share a run.

        Asked once before the first run; and if the answer is ``by_shape``, again with the shapes
        of a request's inputs, axis 0 being the rows: then, outputs that have no rows are no proof.
        """
        return Independence(False, "its runtime cannot prove that its rows are independent")

    @abstractmethod
    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Runs the model once: inputs in the signature's order, outputs in the signature's order.

        An input is of its spec's dtype and shape, C-contiguous; an output is of its spec's dtype.
        Raises DoesNotFit if these values cannot be run (an index out of range, say), and
        CannotServe if no values could (a kernel that this machine lacks).
        """

    def tune(self, inputs: Sequence[Array]) -> None:  # noqa: B027 - optional, hence not abstract
        """Called once while warming up, with inputs that run.

        May try settings (threads, say) and keep the fastest. Answers must not change.
        """

    def reset(self) -> None:  # noqa: B027 - optional, hence not abstract
        """Forgets what runs have left behind: all is as it was right after loading.

        Called of stateful ones alone, after runs of values that no client sent.
        """

    @abstractmethod
    def close(self) -> None:
        """Gives everything back. Nothing is called afterwards."""


class Runtime(ABC):
    """Loads one kind of artifact.

    ``recognises`` runs anywhere, and must not import heavy libraries. ``load`` runs in a model
    process, which was forked from a process that had imported the ``preload`` modules.
    """

    preload: ClassVar[tuple[str, ...]] = ()
    """Modules that are imported once, before model processes are forked. They start no thread.

    Runtimes that name the same modules share a fork server. Where one of these cannot be imported,
    models of these runtimes are answered with Unavailable, and those of others are not touched.
    """

    @abstractmethod
    def recognises(self, artifact: Path) -> bool:
        """Whether ``artifact``, a file or folder, looks like this runtime's kind, told cheaply."""

    @abstractmethod
    def load(self, artifact: Path, params: Params, options: LoadOptions) -> Servable:
        """Loads ``artifact``, as its uploader's params and the server's options want it.

        Raises BadBody if the file is not what it claims to be, CannotServe if it is but
        cannot be served, in words that help the person who uploaded it.
        """

    def count_ops(self, artifact: Path, params: Params) -> dict[str, int]:
        """How often each type of op occurs in ``artifact``; empty if the runtime cannot tell.

        Runs where ``load`` does, but without it: what is told may be of a model that cannot be
        served. Raises what ``load`` raises.
        """
        return {}


def runtime_for(runtimes: Mapping[str, Runtime], artifact: Path) -> str:
    """The name of the first runtime that recognises ``artifact``; raises CannotServe for none."""
    for name, runtime in runtimes.items():
        if _recognises(name, runtime, artifact):
            return name
    raise CannotServe(
        "no runtime recognises this file; installed runtimes: "
        f"{', '.join(runtimes) or 'none'}{_advice(artifact)}",
        field="model",
    )


def _recognises(name: str, runtime: Runtime, artifact: Path) -> bool:
    try:
        return runtime.recognises(artifact)
    except TfaasError:
        raise
    except Exception as error:
        told = plugin_failed(type(runtime).__module__, f"recognises of the runtime {name!r}", error)
        _log.error("%s", told.message.removesuffix(SEE_LOG), exc_info=error)
        raise told from error


def _advice(artifact: Path) -> str:
    """What to do about an archive that is no bundle; empty for anything else."""
    archive = archive_at(artifact)
    return "" if archive is None else _ADVICE.get(archive, "")
