"""What HTTP workers, the pool and model processes say to each other about servables.

A *ticket* names one loaded servable: the same version loaded again gets another.
"""

from __future__ import annotations

import logging
from typing import Any, TypeAlias

import msgspec

from tfaas_core.engine.base import Candidate, Loaded, ServableStatus
from tfaas_core.engine.shared.acceleration_messages import (
    Accelerate,
    AskAcceleration,
    HasSwitched,
    Runs,
    Switch,
)
from tfaas_core.engine.shared.far_messages import Far
from tfaas_core.engine.shared.fleet_messages import Further, Joined, MoreWanted
from tfaas_core.engine.shared.looked_up import LookedUp
from tfaas_core.error_kinds import ANSWERS, ERRORS_BY_CODE, TOLD, code_of_kind, error_from
from tfaas_core.errors import SEE_LOG, TfaasError
from tfaas_core.runtime import LoadOptions
from tfaas_core.system.links.inbox import packed
from tfaas_core.system.links.link import Answer
from tfaas_core.texts.json_text import plain

_log = logging.getLogger("tfaas.engine")


class Failure(msgspec.Struct, frozen=True):
    """A TfaasError on its way to another process.

    ``kind`` is the code of the class of the core that it is of. ``told`` is what a plugin's class
    says otherwise than that: ``status``, ``code`` and ``retry_after_s``; ``answers`` is what its
    ``headers`` and ``document`` give, if they are its own. What no JSON document can hold of the
    details is told as text. ``for_clients`` is what clients are told instead of the message.
    """

    kind: str
    message: str
    details: dict[str, Any]
    told: dict[str, Any] = {}
    answers: dict[str, dict[str, Any]] = {}
    for_clients: str = ""

    @classmethod
    def of(cls, error: TfaasError) -> Failure:
        """Logs one that cannot be told, whose ``headers`` raises, say, and tells of that."""
        try:
            failure = _failure(error)
            packed(failure)
        except Exception as reason:
            name = f"{type(error).__module__}.{type(error).__qualname__}"
            _log.error("the error %s cannot be told", name, exc_info=reason)
            return cls(TfaasError.code, f"the error {name} cannot be told{SEE_LOG}", {})
        return failure

    def error(self) -> TfaasError:
        said = self.message, self.details, self.told, self.answers, self.for_clients
        return error_from(self.kind, *said)


def _failure(error: TfaasError) -> Failure:
    told = {name: getattr(error, name) for name in TOLD if hasattr(error, name)}
    kind = code_of_kind(error)
    ours = ERRORS_BY_CODE[kind]
    answers = {
        name: plain(getattr(error, name)())
        for name in ANSWERS
        if getattr(getattr(error, name), "__func__", None) is not getattr(ours, name)
    }
    message, for_clients = _text(error.message), _text(error.for_clients)
    return Failure(kind, message, plain(error.details), plain(told), answers, for_clients)


def _text(said: object) -> str:
    """A file's name in it may be no UTF-8."""
    return str(said).encode(errors="replace").decode()


# An HTTP worker to the pool. ``call`` pairs an answer with its question.


class Acquire(msgspec.Struct, frozen=True, tag=True):
    """Connect me to this stored version; load it if it is not, unless it has no path."""

    call: int
    candidate: Candidate


class Prepare(msgspec.Struct, frozen=True, tag=True):
    """Load and warm this upload."""

    call: int
    candidate: Candidate


class AcquirePrepared(msgspec.Struct, frozen=True, tag=True):
    """Connect me to the upload that I had prepared."""

    call: int
    ticket: int
    model: str
    runtime: str


class Adopt(msgspec.Struct, frozen=True, tag=True):
    """The prepared upload is stored, as the version of this key."""

    call: int
    ticket: int
    key: str


class Judge(msgspec.Struct, frozen=True, tag=True):
    """The upload that I had prepared was lost in a run: is it to blame?"""

    call: int
    ticket: int


class Discard(msgspec.Struct, frozen=True, tag=True):
    """The prepared upload is not stored."""

    ticket: int


class Retire(msgspec.Struct, frozen=True, tag=True):
    """The version of this key is no longer served."""

    key: str


class Count(msgspec.Struct, frozen=True, tag=True):
    """What is loaded?"""

    call: int


ToPool: TypeAlias = (
    Acquire
    | Prepare
    | AcquirePrepared
    | Adopt
    | Judge
    | Discard
    | Retire
    | LookedUp
    | Count
    | Further
    | Accelerate
    | AskAcceleration
)


# The pool to an HTTP worker.


class Connected(msgspec.Struct, frozen=True, tag=True):
    """With descriptors: the socket to the servable, its meter, and memory for slots, if any.

    ``new``: it was loaded because of this call, and may be warmed up further. ``stateful``: a run
    may change the answer of a later one.
    """

    call: int
    ticket: int
    new: bool = False
    stateful: bool = False


class Absent(Answer, frozen=True, tag=True):
    """The version that you want to be connected to is not loaded; say where it is."""


class Done(Answer, frozen=True, tag=True):
    """A Prepare was done, and found this out; an Adopt; or a Judge, which says yes."""

    loaded: Loaded | None = None


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The call could not be done."""

    call: int
    failure: Failure


class Release(msgspec.Struct, frozen=True, tag=True):
    """Take no new request to this servable, and hang up after its last answer."""

    ticket: int


class Counted(Answer, frozen=True, tag=True):
    """This is loaded."""

    servables: list[ServableStatus]


ToWorker: TypeAlias = (
    Connected | Joined | MoreWanted | Absent | Done | Failed | Release | Counted | Runs
)


# The pool to a model process.


class Load(msgspec.Struct, frozen=True, tag=True):
    """Load this; with two descriptors: the meter, and the slow runs of all processes.

    ``made_up``: whether made-up values may be run to warm it up. ``plugin``: the module of the
    plugin that its runtime comes from, for messages. ``adds_up``: whether its meter is to show how
    long its runs take together. ``mergeable``: whether rows may share a run, if another process has
    found that out; None: it is to be found out. ``shared_rows``: likewise, see Loaded; empty: they
    are to be found out, unless the options say them.
    """

    ticket: int
    candidate: Candidate
    options: LoadOptions
    made_up: bool = True
    plugin: str = ""
    adds_up: bool = False
    mergeable: bool | None = None
    shared_rows: tuple[int, ...] = ()


class Connect(msgspec.Struct, frozen=True, tag=True):
    """With a descriptor: a stream socket that requests for this servable come from.

    And perhaps one of memory for slots.
    """

    ticket: int
    far: Far | None = None


class Adopted(msgspec.Struct, frozen=True, tag=True):
    """This servable, an upload's so far, is the stored version of this key."""

    ticket: int
    key: str


class Turn(msgspec.Struct, frozen=True, tag=True):
    """Have this servable's meter show that it is not stuck."""

    ticket: int


class Unload(msgspec.Struct, frozen=True, tag=True):
    """Close this servable once every connection to it is closed."""

    ticket: int


ToProcess: TypeAlias = Load | Connect | Adopted | Turn | Unload | Switch


# A model process to the pool.


class Loading(msgspec.Struct, frozen=True, tag=True):
    """From here on, what happens may be this model's fault."""

    ticket: int


class LoadDone(msgspec.Struct, frozen=True, tag=True):
    """Loaded and warm."""

    loaded: Loaded


class LoadFailed(msgspec.Struct, frozen=True, tag=True):
    """Not loaded; nothing is left of it."""

    ticket: int
    failure: Failure


class Unloaded(msgspec.Struct, frozen=True, tag=True):
    """Closed, its memory back as far as a living process can give it back."""

    ticket: int


class Broken(msgspec.Struct, frozen=True, tag=True):
    """This servable answers no more, through no wish of anybody's."""

    ticket: int


FromProcess: TypeAlias = Loading | LoadDone | LoadFailed | Unloaded | Broken | HasSwitched
