"""The predict routes: each codec's own, by which it is asked over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

from tfaas_core.codec import MODEL_HEADER, Codec
from tfaas_core.config import Config
from tfaas_core.engine.base import Engine
from tfaas_core.errors import UnsupportedMediaType
from tfaas_core.models.versions import number_of
from tfaas_core.operation import Operation
from tfaas_core.plugins import model_predict_paths, predict_paths
from tfaas_core.predict.catalog import Catalog
from tfaas_core.predict.compressed_bodies import MOST_UNPACKED_BYTES, unpacked_body
from tfaas_core.predict.followed_codec import FollowedCodec
from tfaas_core.predict.large_answers import MOST_BRIEF_BYTES, large_answer
from tfaas_core.predict.predictor import Predictor
from tfaas_core.predict.short_predictions import PlansUsual, ShortPredictions
from tfaas_core.predict.target import Target
from tfaas_core.route import Handler, Request, Response, Route, ShortWay
from tfaas_core.routing.in_flight import InFlight

CURL_DEFAULT = "application/x-www-form-urlencoded"
"""The media type that ``curl -d`` sends unasked."""


class Predicting(Protocol):
    """What of a Host takes part in a prediction."""

    codecs: Mapping[str, Codec[Any]]
    config: Config
    in_flight: InFlight
    predictor: Predictor
    catalog: Catalog
    engine: Engine


def predict_routes(host: Predicting) -> list[Route]:
    """The routes of all codecs of ``host``."""
    return [route for codec in host.codecs.values() for route in _routes_of(host, codec)]


async def answer(
    host: Predicting,
    codec: Codec[Any],
    request: Request,
    target: Target | None = None,
    answering: Codec[Any] | None = None,
) -> Response:
    """Predicts, and says in ``TFaaS-Model`` by which version.

    ``codec`` reads the request, and writes the answer, unless ``answering`` is to. ``target`` is
    the model that the path names, if it does. Raises TfaasError if there is no answer:
    UnsupportedMediaType if the codec does not read what the request announces.
    """
    head = request.head
    if head.content_type not in codec.media_types:
        _check_media_type(codec, head.content_type)
    if head.content_encoding:
        most_bytes = min(host.config.server.max_body_bytes, MOST_UNPACKED_BYTES)
        async with unpacked_body(host, request, most_bytes) as body:
            return await _answer(host, codec, request, body, target, answering)
    return await _answer(host, codec, request, request.body, target, answering)


async def _answer(
    host: Predicting,
    codec: Codec[Any],
    request: Request,
    body: bytes,
    target: Target | None,
    answering: Codec[Any] | None,
) -> Response:
    head = request.head
    visit = request.visit
    if visit is not None:
        visit.codec = codec.name
        if visit.steps is not None:
            visit.since_s = 0.0  # the codec is followed call by call
            if answering is not None and answering is not codec:
                answering = FollowedCodec(answering, visit.steps)
            else:
                answering = None
            codec = FollowedCodec(codec, visit.steps)
    prediction = await host.predictor.predict(codec, body, head, target, answering, visit)
    encoded, version = prediction.encoded, prediction.version
    headers = {MODEL_HEADER: version.reference}
    if encoded.headers:
        headers |= encoded.headers
    if encoded.pieces is not None or len(encoded.body) > MOST_BRIEF_BYTES:
        return await large_answer(host, head, encoded, headers, prediction.held_bytes)
    return Response(encoded.body, media_type=encoded.media_type, headers=headers)


def target_of(path_fields: Mapping[str, str]) -> Target | None:
    """What the fields ``name``, and ``version`` or ``label``, of a path name; raises DoesNotFit."""
    name, version = path_fields.get("name"), path_fields.get("version")
    if name is None:
        return None
    number = None if version is None else number_of(version)
    return Target(name, number, path_fields.get("label"))


def _routes_of(host: Predicting, codec: Codec[Any]) -> list[Route]:
    handler, short = partial(answer, host, codec), _short_way(host, codec)

    async def handler_at(request: Request) -> Response:
        return await answer(host, codec, request, target_of(request.path_fields))

    said = Operation(
        f"predicts, by the codec {codec.name}",
        codec.media_types,
        codec.body_schema,
        gives=codec.writes or ("*/*",),
    )
    return [
        *(_route(at, handler, said, short) for at in predict_paths(codec.name)),
        *(_route(at, handler_at, said, short) for at in model_predict_paths(codec.name)),
    ]


def _route(path: str, handler: Handler, operation: Operation, short: ShortWay | None) -> Route:
    return Route(
        path,
        ("POST",),
        handler,
        express=True,
        right="predict",
        operation=operation,
        short=short,
    )


def _short_way(host: Predicting, codec: Codec[Any]) -> ShortWay | None:
    beginning = host.engine.beginning
    if beginning is None or not isinstance(codec, PlansUsual):
        return None
    max_rows = host.config.engine.max_queue_rows
    return ShortPredictions(codec, codec, _announced(codec), host.catalog, beginning, max_rows)


def _check_media_type(codec: Codec[Any], content_type: str) -> None:
    """Accepts the codec's own types, none, and the one that ``curl -d`` sends unasked."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type in _announced(codec) or "*/*" in codec.media_types:
        return
    raise UnsupportedMediaType(
        f"/{codec.name} reads {' or '.join(codec.media_types)}, not {media_type[:140]}",
        expected=list(codec.media_types),
        got=media_type[:140],
    )


def _announced(codec: Codec[Any]) -> frozenset[str]:
    return frozenset(("", CURL_DEFAULT, *codec.media_types))
