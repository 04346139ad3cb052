"""Runtime: makes a Servable, something that answers, of an artifact, a model's file or folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, TypeAlias

import msgspec

from tfaas_core.models.params import Params
from tfaas_core.sandbox.limits import memory_is_kept_back
from tfaas_core.settings.tables import EngineTable, Models, OpPolicy, SlowPriority
from tfaas_core.tensors import Array, Signature

Shapes: TypeAlias = Sequence[tuple[int | None, ...]]


class LoadOptions(msgspec.Struct, frozen=True):
    """How a model is to be loaded, and run then; its defaults are for tests and tools.

    ``threads``: how many a run may use; 0: the servable chooses. For whoever calls the servable:
    ``max_batch_rows``, the most rows of a run; ``shared_rows``, those of several requests, 0: to be
    found out, less than 0: any number; ``busy_poll_s``, for how long its process looks for the next
    request before it sleeps; ``slow_priority``, what the scheduler is told of one whose runs keep a
    core busy. ``policy``: whether a runtime of TensorFlow refuses ops that do more than compute on
    tensors; ``allow_ops``: those that it takes all the same. ``signatures``: the further ones that
    are asked for; None: all. ``memory_bytes``: what this model may take; 0: that depends.
    """

    threads: int = 0
    max_batch_rows: int = 1024
    busy_poll_s: float = 0.0
    slow_priority: SlowPriority = "normal"
    policy: OpPolicy = "allow-list"
    allow_ops: tuple[str, ...] = ()
    signatures: tuple[str, ...] | None = None
    accelerate: bool = False
    memory_bytes: int = 0
    shared_rows: int = 0

    @classmethod
    def of(cls, engine: EngineTable, models: Models | None = None) -> LoadOptions:
        """What these tables of the configuration say."""
        models = models or Models()
        options = cls(
            *(engine.threads, engine.max_batch_rows),
            policy=models.policy,
            allow_ops=models.allow_ops,
            accelerate=engine.accelerate == "auto" and engine.isolation != "inline",
            memory_bytes=_memory_bytes(engine),
            shared_rows=engine.shared_rows,
        )
        if engine.isolation != "model":
            return options  # threads of one interpreter would only be in each other's way
        return msgspec.structs.replace(
            options, busy_poll_s=engine.busy_poll_us / 1e6, slow_priority=engine.slow_priority
        )


def _memory_bytes(engine: EngineTable) -> int:
    if engine.isolation != "model" or engine.sandbox == "off" or memory_is_kept_back():
        return 0
    return engine.model_memory_bytes


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

    others: Mapping[str, Servable] = MappingProxyType({})
    """Its further signatures, by their names, if requests may name one: a servable for each, of the
    same loaded model. ``reset`` of any is that of all; nobody calls their ``tune`` or ``close``."""

    declared: Mapping[str, Any] = MappingProxyType({})
    """The signatures as its file declares them, also those that are not served: TensorFlow's
    SignatureDefs by name, in the JSON of protobuf. Of other files: empty."""

    threads: int = 0
    """How many threads a run uses, once it is tuned; 0: it does not say."""

    executor: str = ""
    """What has the ops of a run done, as its library calls it, once it is tuned; may be empty."""

    takes_any_shape: bool = False
    """Whether ``run`` takes inputs of other shapes than the signature's if what it computes does,
    and raises DoesNotFit if not."""

    def independence(self, shapes: Shapes | None = None) -> Independence:
        """Whether rows of different requests may share a run.

        Asked once before the first run; and if the answer is ``by_shape``, again with the shapes
        of a request's inputs, axis 0 being the rows: then, outputs that have no rows are no proof.
        """
        return Independence(False, "its runtime cannot prove that its rows are independent")

    @abstractmethod
    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Runs the model once: inputs in the signature's order, outputs in the signature's order.

        An input is of its spec's dtype and shape, C-contiguous; if it ``takes_any_shape``, of any.
        An output is of its spec's dtype, in an array that later runs leave as it is.
        Raises DoesNotFit if these values cannot be run (an index out of range, say), and
        CannotServe if no values could (a kernel that this machine lacks).
        """

    def tune(self, inputs: Sequence[Array]) -> None:  # noqa: B027 - optional, hence not abstract
        """Called once while warming up, with inputs that run: may try settings (threads, say) and
        keep the fastest. Answers must not change.
        """

    def reset(self) -> None:  # noqa: B027 - optional, hence not abstract
        """Forgets what runs have left behind: all is as it was right after loading.

        Called of stateful ones after runs of values that no client sent, and after ``rest``.
        """

    def rest(self) -> bool:
        """Gives back what only runs need, and says whether it did: no run comes before ``reset``.

        Called of stateless ones without ``others``, once an accelerator runs in their place. By the
        time of that ``reset``, the artifact may be gone.
        """
        return False

    @abstractmethod
    def close(self) -> None:
        """Gives everything back. Nothing is called afterwards."""


class CannotAccelerate(Exception):
    """An accelerator cannot run a model; the message is a clause that says why."""


class FastModel(ABC):
    """A model as an accelerator runs it. Used from one thread at a time."""

    @abstractmethod
    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """As ``Servable.run``, inputs and outputs in the order of the servable's signature.

        Whatever it raises, and each answer that is not finite, is dropped, and the servable runs.
        Inputs are finite, all have the same first size, and the others are the signature's.
        """

    def close(self) -> None:  # noqa: B027 - optional, hence not abstract
        """Gives everything back. Nothing is called afterwards."""


class Accelerator(ABC):
    """A second engine for the models of a runtime, which may run them faster.

    ``convert`` is called in a process of its own, which is ended if it takes too long or too much
    memory. What it makes is kept, by the artifact's checksum and ``versions``, and is run only
    where it answers as the servable does, and faster.
    """

    name: ClassVar[str]
    """As messages call it."""

    first: ClassVar[str]
    """The engine that it stands in for, as messages call that."""

    preload: ClassVar[tuple[str, ...]] = ()
    """As ``Runtime.preload``, beside that: imported only if ``[engine] accelerate`` wants it."""

    @abstractmethod
    def versions(self) -> Sequence[str]:
        """Of all that its conversions and answers depend on. Imports nothing heavy.

        Raises CannotAccelerate if a part is not installed: the clause says what to do.
        """

    @abstractmethod
    def convert(self, servable: Servable) -> bytes:
        """The model as ``open`` takes it. Raises CannotAccelerate."""

    @abstractmethod
    def open(self, converted: bytes, signature: Signature, threads: int) -> FastModel:
        """What ``convert`` made, ready to run. ``threads``: see LoadOptions.

        Raises CannotAccelerate. Anything else that these methods raise is told as the reason, too.
        """


class Verdict(Enum):
    """What a runtime says of a file or folder: whether it is of the kind that it loads."""

    NO = "no"
    MAYBE = "maybe"
    """Nothing speaks against it, but files of other kinds may look the same."""
    SURE = "sure"


class Runtime(ABC):
    """Loads one kind of artifact.

    ``claim``, ``find``, ``examine`` and ``file_name`` run anywhere, in any thread, and must not
    import heavy libraries. ``load`` runs in a model process, which was forked from one that had
    imported the ``preload`` modules. It reads the artifact and installed packages, nothing else.
    """

    preload: ClassVar[tuple[str, ...]] = ()
    """Modules that are imported once, before model processes are forked. They start no thread.

    Runtimes that name the same modules share a fork server. Where one of these cannot be imported,
    models of these runtimes are answered with Unavailable, and those of others are not touched.
    """

    modes: ClassVar[Mapping[str, Mapping[str, str]]] = MappingProxyType({})
    """Further ways in which its libraries run models, by name; none is called usual or auto.

    Each has the variables of the environment that the libraries are imported with then, by a fork
    server of its own, which is started once a model is to be run so.
    """

    suffixes: ClassVar[tuple[str, ...]] = ()
    """How the names of its models' files end, the usual end first: ``(".onnx",)``."""

    nouns: ClassVar[tuple[str, str]] = ("", "")
    """What messages call one of its models in a bundle, and several; made up if they are empty."""

    @abstractmethod
    def claim(self, artifact: Path, file_name: str) -> Verdict:
        """Whether ``artifact``, a file or folder, is of this runtime's kind, told cheaply.

        ``file_name`` is what its uploader called it, without folders; empty if nobody knows. The
        name of ``artifact`` itself says nothing.
        """

    def find(self, folder: Path) -> Iterable[Path]:
        """Its models in ``folder``, an unpacked bundle: files in it, folders in it, or itself.

        Unless overridden: the files right in it whose names end in one of ``suffixes``. What lies
        beside a model, such as params.json, is left out later.
        """
        files = filter(Path.is_file, folder.iterdir())
        return [path for path in files if path.name.endswith(self.suffixes)]

    def file_name(self, uploaded: str) -> str:
        """What a model's file is called in a bundle to download, where ``find`` finds it again.

        ``uploaded`` is what its uploader called it; empty if nobody knows, or if it is a folder:
        then this is what ``GET /models`` calls it. Unless overridden: ``uploaded``, if it ends in
        one of ``suffixes`` or if there are none, else ``model`` with the first one.
        """
        if uploaded and (not self.suffixes or uploaded.endswith(self.suffixes)):
            return uploaded
        return f"model{self.suffixes[0]}" if self.suffixes else "model"

    def examine(self, options: LoadOptions) -> list[str]:
        """What a start, and ``tfaas check``, warn of if models are loaded so, a sentence each."""
        return []

    @abstractmethod
    def load(self, artifact: Path, params: Params, options: LoadOptions) -> Servable:
        """Loads ``artifact``, as its uploader's params and the server's options want it.

        Called in a thread of its own; where models share a process, one after the other, unless one
        takes longer than two seconds: then the next begins beside it.

        Raises BadBody if the file is not what it claims to be, CannotServe if it is but
        cannot be served, in words that help the person who uploaded it.
        """

    def accelerator(self) -> Accelerator | None:
        """The second engine for its models, if it has one. Must not import heavy libraries."""
        return None

    def count_ops(self, artifact: Path, params: Params) -> dict[str, int]:
        """How often each type of op occurs in ``artifact``; empty if the runtime cannot tell.

        Runs where ``load`` does, but without it: what is told may be of a model that cannot be
        served. Raises what ``load`` raises.
        """
        return {}
