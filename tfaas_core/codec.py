"""Codec: a request's bytes to named arrays, and a model's outputs back to bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.tensors import Arrays, Bound

MODEL_HEADER = "TFaaS-Model"
"""The header of a prediction that tells which version it is of."""


class Document(msgspec.Struct, kw_only=True):
    """What ``parse`` read. A codec's own subclass holds its values, not yet checked."""

    model: str | None = None
    """The model that the request names; None: the default model."""

    version: int | None = None
    """The number that the request names, as ``check_number`` takes it; None: the live version."""

    label: str | None = None
    """The label that the request names instead of a number, not empty; None: none."""

    signature: str | None = None
    """The signature that the request asks for, not empty; None: the one that answers then."""


class Encoded(msgspec.Struct, frozen=True):
    """An answer's bytes and their media type, and further headers of the answer.

    ``media_type`` may have parameters. Headers are as in ``tfaas_core.route.Response``, but
    ``TFaaS-Model`` is the server's, too. If there are ``pieces``, they are sent, and ``body`` is
    not: each is made in a thread when the client has taken the one before, so that an answer of
    many rows is never there as a whole. If the first fails, that is answered; if a later one does,
    the client's connection is cut.
    """

    body: bytes
    media_type: str
    headers: Mapping[str, str] = {}
    pieces: Generator[bytes] | None = None

    def whole(self) -> bytes:
        """The body, of all pieces if there are any. It makes them, so it is called once."""
        return self.body if self.pieces is None else b"".join(self.pieces)


D = TypeVar("D", bound=Document)


class Codec(ABC, Generic[D]):
    """Reads one input format, and answers in it.

    A codec named ``json`` is served under ``/predict/json`` and ``/json``, and for one model under
    ``/models/NAME/predict/json`` and the like. Methods are called in an HTTP worker's event loop,
    but for large answers, for large bodies that ``parse_at_once`` does not read, and if
    ``is_heavy`` says so, in threads: they must not wait for anything, and keep nothing between
    calls that is not safe for threads. They change nothing of what they are given. What ``encode``
    needs of the request, the document carries.
    """

    name: ClassVar[str]
    """Lower-case letters, digits and ``-``: the last part of the path."""

    media_types: ClassVar[tuple[str, ...]]
    """The media types read, lower case, without parameters; ``*/*`` for any."""

    answer_types: ClassVar[tuple[str, ...]] = ()
    """The media types of its answers, all names of one format, the usual one first; left empty, it
    is the first of ``media_types``. A client of ``/predict`` chooses by them, in ``Accept``."""

    body_schema: ClassVar[Mapping[str, Any]] = {}
    """What a body is like, as JSON Schema, for the OpenAPI document; left empty, nobody says."""

    @property
    def writes(self) -> tuple[str, ...]:
        """The media types of its answers, the usual one first."""
        # What a codec of */* answers, it has to say: */* is the type of nothing.
        return self.answer_types or tuple(name for name in self.media_types if name != "*/*")[:1]

    @abstractmethod
    def parse(self, body: bytes, head: Head) -> D:
        """Reads a body, as far as that goes without knowing the model.

        ``head`` is what the request says besides: ``head.content_type`` as sent, with parameters,
        or empty; ``head.query``, ``head.headers``, ``head.path_fields``. If no client sent the
        body, as with an example, all but the content type is empty.
        Raises BadBody if the bytes are not this format, DoesNotFit if they are but say
        something that no model takes.
        """

    def parse_at_once(self, body: bytes, head: Head) -> D | None:
        """What ``parse`` reads of a large body, if it and ``bind`` take less than a millisecond.

        None: they may take longer, which they then do in a thread; or something is wrong with the
        body, for which ``parse`` has words.
        """
        return None

    def is_heavy(self, document: D, version: ModelVersion) -> bool:
        """Whether ``bind`` may take milliseconds, which it then spends in a thread.

        Raises what ``bind`` raises, if that is known already.
        """
        return False

    @abstractmethod
    def bind(self, document: D, version: ModelVersion) -> Bound:
        """The document's values as the arrays that ``version.signature`` asks for.

        The caller checks names, dtypes and shapes afterwards (``tensors.conform``), so a codec
        need not, but its own message is often the clearer one. A number that a dtype cannot hold is
        refused, and NaN unless the params accept it. A document may be bound again, if the live
        version has changed meanwhile. Raises DoesNotFit, BadBody if the bytes turn out to be
        damaged only now, and TooLarge.
        """

    @abstractmethod
    def encode(self, outputs: Arrays, bound: Bound, document: D, version: ModelVersion) -> Encoded:
        """The answer. ``outputs`` are whole arrays by name, axis 0 the batch if there is one.

        They may be read only, have NaN and infinities, and other rows than the request. There may
        be fewer labels than numbers, or more. Raises DoesNotFit if the format cannot hold them.
        """

    @property
    def answers_others(self) -> bool:
        """Whether ``encode_other`` is implemented."""
        return type(self).encode_other is not Codec.encode_other

    def encode_other(self, outputs: Arrays, bound: Bound, version: ModelVersion) -> Encoded:
        """The answer to a request that another codec read, as far as ``bound``.

        A client of ``/predict`` can ask for the answers of a codec that implements it, whatever
        it sends itself. Raises NotAcceptable if the format cannot hold the outputs.
        """
        raise NotImplementedError
