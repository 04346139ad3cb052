"""ShortPredictions: the predictions that nearly all clients ask for, from their bytes to a run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from tfaas_core.codec import MODEL_HEADER, Codec
from tfaas_core.engine.beginning import BeginsRuns
from tfaas_core.errors import DoesNotFit, TfaasError
from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.catalog import Catalog
from tfaas_core.route import Begun, Head, Request, Response, TakeAnswer
from tfaas_core.tensors import Array
from tfaas_core.values.bindings import Bindings
from tfaas_core.visit import Visit


class Usual(Protocol):
    """What a body says that is as nearly all are: rows of numbers, or a picture, and perhaps a
    model's name."""

    @property
    def model(self) -> str | None: ...


U = TypeVar("U", bound=Usual)


class UsualPlan(ABC, Generic[U]):
    """How a codec takes usual bodies to one version, and answers them."""

    @abstractmethod
    def inputs(self, usual: U) -> list[Array] | None:
        """What the version takes, in the signature's order, axis 0 the rows.

        None: it is not sure that they fit. What ``answer`` does not need, ``usual`` may lose.
        """

    @abstractmethod
    def answer(self, outputs: Sequence[Array], start: int, end: int, usual: U) -> bytes:
        """The body of the answer to what has these rows of ``outputs``, the others being others'.

        ``outputs`` are in the signature's order, axis 0 the rows; they are the same object for all
        that have shared a run.
        """


class PlansUsual(ABC, Generic[U]):
    """A codec that knows what nearly all bodies are, and answers them the same by a plan.

    The plan's answers are of the codec's first media type.
    """

    @abstractmethod
    def usual(self, body: bytes, head: Head) -> U | None:
        """What ``body`` says, read at once in little time; None: it is not as usual.

        ``head`` is what ``parse`` gets, too.
        """

    @abstractmethod
    def usual_plan(self, version: ModelVersion) -> UsualPlan[U] | None:
        """That for ``version``, whose rows share runs; None: its bodies or answers are others."""


class ShortPrediction(msgspec.Struct, gc=False):
    """One that was begun. The engine tells it what has become of it.

    ``reply`` is told of it, and then let go of: the engine may keep for long what it was asked, and
    nobody else's connection is to stay with that. None: nobody waits any longer.
    """

    plan: _Planned
    usual: Any
    reply: TakeAnswer | None

    def done(self) -> bool:
        """Whether nobody waits for it any longer."""
        return self.reply is None

    def cancel(self) -> bool:
        reply, self.reply = self.reply, None
        return reply is not None

    def set_result(self, outputs: Sequence[Array]) -> None:
        self.set_rows(outputs, 0, len(outputs[0]))

    def set_rows(self, outputs: Sequence[Array], start: int, end: int) -> None:
        plan = self.plan
        try:
            body = plan.plan.answer(outputs, start, end, self.usual)
        except Exception as error:
            self._tell(error)
        else:
            self._tell(Response(body, 200, plan.media_type, plan.headers))

    def set_exception(self, error: BaseException) -> None:
        self._tell(error)

    def _tell(self, answer: Response | BaseException) -> None:
        reply, self.reply = self.reply, None
        if reply is not None:
            reply(answer)


class _Planned(msgspec.Struct, frozen=True):
    version: ModelVersion
    plan: UsualPlan[Any]
    media_type: str
    headers: dict[str, str]


class ShortPredictions:
    """Takes usual bodies of a codec, which is a PlansUsual, to the live versions of models."""

    def __init__(
        self,
        codec: Codec[Any],
        planning: PlansUsual[Any],
        announced: Collection[str],
        catalog: Catalog,
        engine: BeginsRuns,
        max_rows: int,
    ) -> None:
        """``announced``: the media types of requests that ``codec`` reads, empty if none is.

        ``max_rows``: more may never wait.
        """
        self._codec = codec
        self._codec_name = codec.name
        self._announced = announced
        self._usual = planning.usual
        self._planning = planning
        self._catalog = catalog
        self._begin = engine.begin
        self._max_rows = max_rows
        self._plans = Bindings(self._planned)

    def takes(self, head: Head) -> bool:
        media_type = head.content_type.partition(";")[0].strip().lower()
        is_plain = media_type in self._announced and not head.content_encoding
        return is_plain and head.path_fields.keys() <= {"name"}

    def begin(self, request: Request, visit: Visit | None, reply: TakeAnswer) -> Begun | None:
        head = request.head
        usual = self._usual(request.body, head)
        if usual is None:
            return None
        name = head.path_fields.get("name")
        if name is None:
            name = usual.model or None
        elif usual.model not in (None, "", name):
            return None
        if visit is not None and visit.gate is not None:
            name = self._catalog.name(name)
            visit.waiting = visit.goes_to(name) if name else None
            if visit.waiting is not None:
                return None
        try:
            version = self._catalog.model(name).live
        except TfaasError:
            return None
        planned = self._plans.of(version)
        inputs = None if planned is None else planned.plan.inputs(usual)
        if planned is None or inputs is None:
            return None
        prediction = ShortPrediction(planned, usual, reply)
        rows = len(inputs[0])
        if rows > self._max_rows:
            return None
        if visit is not None:
            # Before it is refused, if it is.
            visit.codec, visit.model = self._codec_name, version.name
            visit.version, visit.rows = version.version, rows
        return prediction if self._begin(version, inputs, rows, prediction, visit) else None

    def _planned(self, version: ModelVersion) -> _Planned | None:
        try:
            # Usual bodies name no signature.
            version = version.signed(None)
        except DoesNotFit:
            return None
        if not version.mergeable:
            return None
        plan = self._planning.usual_plan(version)
        if plan is None:
            return None
        media_type = (self._codec.answer_types or self._codec.media_types)[0]
        return _Planned(version, plan, media_type, {MODEL_HEADER: version.reference})
