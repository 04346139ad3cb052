"""Observer: whoever is told what happened, such as a log or metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from tfaas_core.events import (
    ModelCrashed,
    ModelLoaded,
    ModelSwitched,
    ModelUnloaded,
    ModelUploaded,
)
from tfaas_core.route import ClientAddress, Request, Response

CUT = "cut"
"""The code of an answer that ended early, because its client was gone, or a piece of it failed."""

TOLD_WITHIN_S = 0.02
"""Of its answer, observers that override ``finished`` are told of a request."""


class Answered(msgspec.Struct, frozen=True, gc=False):
    """A request, and its answer. Times are in seconds."""

    method: str
    path: str
    """As sent, percent-encoded, without the query. It is the client's: it may say anything."""
    route: str
    """The pattern of the path, like ``/models/{name}``; empty if nothing is served there."""
    client: ClientAddress
    status: int
    code: str
    """Of an error, such as ``unknown_model``; empty if there is none. ``CUT`` if the answer, which
    was long or streamed, ended before its last piece, whatever its status had said."""
    identity: str
    """Who asked, as guards say; empty if they do not."""
    request_bytes: int | None
    """Of the body; None for one that was streamed."""
    answer_bytes: int
    """Of the body, as far as it was sent: none of it to HEAD."""
    duration_s: float
    """From the end of the head to the answer, or to the end of one that is long or streamed."""
    codec: str
    """Which one has read the request; empty if none has."""
    model: str
    """Which model it was for; empty if there is none of this name, or none was named. Of a request
    that guards refused, or that went wrong at once, nobody has looked whether there is."""
    version: int | None
    rows: int | None
    wait_s: float | None
    """For other runs, and on the way to the model's process and back."""
    run_s: float | None
    """In the run that answered it, which it may have shared."""
    request_id: str = ""
    """As the answer's ``X-Request-Id`` has it: the client's own, or made for it. Empty if it has
    none: see ``Observer.needs_request_ids``."""


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """A request, and its answer, as they are: who needs little of them need not pay for all.

    ``request.visit`` is there, and says what became known on the way. It is to be read, and not to
    be kept: the bodies would be, too.
    """

    request: Request
    response: Response
    route: str
    """As Answered has it."""
    answer_bytes: int
    """As Answered has it."""
    end_s: float
    """When it was answered, by ``time.monotonic``; ``visit.begin_s`` is by the same clock."""
    is_cut: bool = False
    """Whether it is a long answer or a stream that ended early."""


class Observer:
    """Is told of what happens, in the event loop of an HTTP worker: it must return at once.

    Its methods are plain functions. What it raises is logged, once a minute at most, and harms no
    request. A method that is not overridden does nothing, and what nobody overrides costs nothing.

    An answer is told in the HTTP worker that gave it. Each of the other events is told once in the
    server, in one HTTP worker: the one that has been serving for longest. If that ends, the next
    one is told what happens from then on, in the order in which the parent learns of it; what was
    on its way to the worker that ended is told nobody, and a switch that was going on may be told
    twice. What happens while the server starts, or
    because it ends, is not told either.
    """

    needs_request_ids: ClassVar[bool] = False
    """Whether an id is to be made for each answer whose client has sent none; it costs some time.
    What is audited, or is in the log, has one in any case."""

    def begun(self, request: Request) -> None:
        """A request came, and nobody has looked at it yet.

        Whoever wants to follow it sets ``request.visit.steps`` to a list, unless it is one already:
        of a prediction, it gets what the codec does, and of an upload all that takes long.
        """

    def answered(self, answer: Answered) -> None:
        """A request was answered, whatever the answer is. One whose client went away is not."""

    def untold(self) -> None:
        """The first of some requests was answered, of which ``finished`` will be told.

        For whoever has to know that there is more to come. It is not sent yet.
        """

    def finished(self, outcomes: Sequence[Outcome]) -> None:
        """Requests were answered: some, in order, the first of them ``TOLD_WITHIN_S`` ago at most,
        if the event loop gets to it.

        For whoever counts every answer, since it costs less than ``answered`` does. If the worker
        is killed, those that it was not told of yet are told nobody.
        """

    def audited(self, answer: Answered) -> None:
        """A request was answered that was to change something, or that was refused.

        To change something is what takes another right than ``read`` and ``predict``, whether it
        did or not. Refused is what came to no handler, because of a guard or its body, and what was
        answered 401, 403, 408, 413, 429, 507 or, because too many rows were waiting, 503. An
        observer that has this method and not ``answered`` costs other requests nothing.
        """

    def uploaded(self, event: ModelUploaded) -> None:
        """A version was stored, and is served."""

    def switched(self, event: ModelSwitched) -> None:
        """Requests go to another version, in the HTTP worker that is told."""

    def loaded(self, event: ModelLoaded) -> None:
        """A version was loaded."""

    def unloaded(self, event: ModelUnloaded) -> None:
        """A version that was loaded is so no more."""

    def crashed(self, event: ModelCrashed) -> None:
        """A process died that held a version, or was loading one."""
