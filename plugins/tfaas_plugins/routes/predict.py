"""The endpoints that predict in whatever format a request says: /predict, and one for a model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from tfaas_core.codec import Codec
from tfaas_core.errors import NotAcceptable, UnsupportedMediaType
from tfaas_core.hookspecs import hookimpl
from tfaas_core.host import Host
from tfaas_core.operation import Operation
from tfaas_core.predict_routes import CURL_DEFAULT, target_of
from tfaas_core.route import Request, Response, Route
from tfaas_plugins.routes.accept import preferred

_DEFAULT = "json"
"""The codec of a request that says nothing of its format, or what ``curl -d`` says unasked."""

_PATHS = (
    "/predict",
    "/models/{name}/predict",
    "/models/{name}/versions/{version}/predict",
    "/models/{name}/labels/{label}/predict",
)


class Formats(msgspec.Struct, frozen=True):
    """Who reads a request and who writes its answer, of which media type."""

    reader: Codec[Any]
    writer: Codec[Any]
    media_type: str


class PredictApi:
    """Chooses the codecs of a request by its headers."""

    def __init__(self, host: Host) -> None:
        self._host = host
        codecs = list(host.codecs.values())
        self._readers = {name: codec for codec in codecs for name in codec.media_types}
        # A codec of */* reads anything under a path of its own; here, the type has to be known.
        self._readers.pop("*/*", None)
        self._writers = [codec for codec in codecs if codec.answers_others]
        self._formats = lru_cache(256)(self._chosen)

    @property
    def read_types(self) -> tuple[str, ...]:
        """The media types of bodies that are read."""
        return tuple(self._readers)

    @property
    def answer_types(self) -> tuple[str, ...]:
        """Those of answers."""
        codecs = dict.fromkeys((*self._readers.values(), *self._writers))
        return tuple(dict.fromkeys(name for codec in codecs for name in codec.writes))

    async def predict(self, request: Request) -> Response:
        """Answers in the format of the request, or in the one that ``Accept`` asks for."""
        headers = request.headers
        accept = ",".join(headers.all("accept"))
        formats = self._formats(headers.get("content-type", ""), accept)
        target = target_of(request.path_fields)
        response = await self._host.predict(request, formats.reader, target, formats.writer)
        if formats.media_type in ("", response.media_type.partition(";")[0]):
            return response
        return msgspec.structs.replace(response, media_type=formats.media_type)

    def _chosen(self, content_type: str, accept: str) -> Formats:
        reader = self._reader(content_type.partition(";")[0].strip().lower())
        if not accept:
            return Formats(reader, reader, "")
        # Its own format, the first that is offered, is what a client gets that does not care.
        others = [codec for codec in self._writers if codec is not reader]
        writers: dict[str, Codec[Any]] = {}
        for codec in (reader, *others):
            writers |= {name: codec for name in codec.writes if name not in writers}
        chosen = preferred(accept, list(writers))
        if chosen is None:
            raise NotAcceptable(
                f"an answer can be {_listed(list(writers))}, but Accept names none of these; name "
                "one there, or leave the header out",
                expected=list(writers),
                got=accept[:140],
            )
        return Formats(reader, writers[chosen], chosen)

    def _reader(self, media_type: str) -> Codec[Any]:
        unsaid = media_type in ("", CURL_DEFAULT)
        codec = self._host.codecs.get(_DEFAULT) if unsaid else self._readers.get(media_type)
        if codec is None:
            what = f"not {media_type[:140]}" if media_type else "and has to be told which"
            raise UnsupportedMediaType(
                f"/predict reads {_listed(list(self._readers))}, {what}",
                expected=list(self._readers),
                got=media_type[:140],
            )
        return codec


def _listed(names: Sequence[str]) -> str:
    *most, last = names or ["nothing"]
    return f"{', '.join(most)} or {last}" if most else last


@hookimpl
def tfaas_register_routes(host: Host) -> Iterable[Route]:
    """``POST /predict``, and the like for one model."""
    api = PredictApi(host)
    said = Operation(
        "predicts, in the format that the request says", api.read_types, gives=api.answer_types
    )
    return [
        Route(path, ("POST",), api.predict, express=True, right="predict", operation=said)
        for path in _PATHS
    ]
