"""The router: which route, if any, a path and a method ask for."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

import msgspec

from tfaas_core.errors import MethodNotAllowed, NotFound, TfaasError
from tfaas_core.route import Request, Response
from tfaas_core.routing.cors import Cors
from tfaas_core.routing.observers import Observers
from tfaas_core.routing.pattern import Pattern
from tfaas_core.routing.proxies import Proxies
from tfaas_core.routing.seam import Passage, SealedRoute
from tfaas_core.routing.side import KEYS, Side, is_on, side_of
from tfaas_core.routing.way_back import WayBack

_NO_FIELDS: Mapping[str, str] = MappingProxyType({})

_PREFLIGHT = "OPTIONS"


class Found(msgspec.Struct, frozen=True):
    """What answers a request: a route's passage, or one that says that there is none.

    ``manages``: whether it is no prediction. ``is_quick``: nor an upload, so that it is answered
    however much else there is.
    """

    passage: Passage
    path_fields: Mapping[str, str] = _NO_FIELDS
    streams: bool = False
    express: bool = False
    manages: bool = True
    is_quick: bool = True


class _Served(msgspec.Struct, frozen=True):
    """What answers for a route, and what it calls the fields of its path."""

    pattern: Pattern
    bare: Found

    @classmethod
    def of(cls, pattern: Pattern, route: SealedRoute) -> _Served:
        manages = side_of(route) == "management" and not route.express
        is_quick = manages and not (route.streams and route.right == "upload")
        said = route.streams, route.express, manages, is_quick
        return cls(pattern, Found(route.passage, _NO_FIELDS, *said))

    def found(self, values: tuple[str, ...]) -> Found:
        if not values:
            return self.bare
        fields = MappingProxyType(self.pattern.fields(values))
        return msgspec.structs.replace(self.bare, path_fields=fields)


class _Place(msgspec.Struct):
    """All routes of one shape of path, by method; ``elsewhere``: those on another port."""

    pattern: Pattern
    routes: dict[str, _Served]
    elsewhere: dict[str, Side]

    def find(self, method: str, path: str, values: tuple[str, ...]) -> Found:
        """Raises NotFound, or MethodNotAllowed."""
        served = self.routes.get(method)
        if served is None and method == "HEAD":
            served = self.routes.get("GET")
        if served is None:
            raise self._refusal(method, path)
        return served.found(values)

    def _refusal(self, method: str, path: str) -> TfaasError:
        side = self.elsewhere.get(method)
        if side is None and method == "HEAD":
            side = self.elsewhere.get("GET")
        if side is None and not self.routes:
            side = next(iter(self.elsewhere.values()))
        if side is not None:
            return NotFound(f"{path[:200]} is on another port: that for {side} ({KEYS[side]})")
        return MethodNotAllowed(f"{path[:200]} does not take {method[:20]}", self.allowed())

    def allowed(self) -> list[str]:
        """The methods that it takes."""
        implied = {"HEAD"} if "GET" in self.routes else set()
        return sorted({*self.routes, *implied})


class Router:
    """Made once of all routes; a look-up takes about a microsecond.

    A GET is served to HEAD, too. Which pattern is before which: see ``tfaas_core.routing.pattern``.
    """

    def __init__(
        self,
        routes: Iterable[SealedRoute],
        base: str = "",
        observers: Observers | None = None,
        side: Side | None = None,
        proxies: Proxies | None = None,
        cors: Cors | None = None,
    ) -> None:
        """``base``: what all paths begin with. Raises ValueError for a path that is no pattern.

        ``observers`` are told of requests for what nobody serves; whose they are, ``proxies`` tell.
        ``side``: the only routes that are served here; those of the other one are on another port.
        None: all are served. ``cors`` answers what browsers ask before requests to what is served.
        ``way_back`` is that of answers which come from no route.
        """
        self._base = base
        self._proxies = proxies
        self._cors = cors
        self.way_back = WayBack(None if observers is None else observers.at(), cors)
        places = _places(routes, side)
        texts = ((place.pattern.text, place) for place in places)
        self._literal = {base + text: place for text, place in texts if text is not None}
        self._with_fields = [place for place in places if place.pattern.text is None]
        alternatives = "|".join(f"({place.pattern.regex})" for place in self._with_fields)
        self._regex = re.compile(f"{re.escape(base)}(?:{alternatives or '(?!)'})")
        self._groups = _first_groups(self._with_fields)

    def find(self, method: str, path: str) -> Found:
        """What answers ``method`` at a path as sent: without query, percent-encoded."""
        try:
            return self._find(method, path)
        except TfaasError as error:
            return self.refused(error)

    def refused(self, error: TfaasError) -> Found:
        """What answers ``error``."""
        return Found(self._refusing(error))

    def _find(self, method: str, path: str) -> Found:
        place = self._literal.get(path.rstrip("/"))
        if place is not None:
            return self._found(place, method, path, ())
        match = self._regex.fullmatch(path)
        if match is None or match.lastindex is None:
            raise NotFound(f"nothing is served at {path[:200]}; see `tfaas routes`")
        place, first = self._groups[match.lastindex]
        values = match.groups()[first : first + len(place.pattern.names)]
        return self._found(place, method, path, values)

    def _found(self, place: _Place, method: str, path: str, values: tuple[str, ...]) -> Found:
        try:
            return place.find(method, path, values)
        except MethodNotAllowed as error:
            if self._cors is None or method != _PREFLIGHT:
                raise
            return Found(self._refusing(error, self._cors, place.allowed()))

    def _refusing(
        self, error: TfaasError, cors: Cors | None = None, allowed: Collection[str] = ()
    ) -> Passage:
        """Answers ``error``, unless a browser asks which of the methods ``allowed`` it may use."""

        async def refuse(request: Request) -> Response:
            answer = None if cors is None else cors.preflight(request.head, allowed)
            if answer is None:
                raise error
            return answer

        return Passage(refuse, streams=True, proxies=self._proxies, way_back=self.way_back)


def _places(routes: Iterable[SealedRoute], side: Side | None) -> list[_Place]:
    """In the order in which they are to be tried."""
    places: dict[object, _Place] = {}
    for route in routes:
        pattern = Pattern.of(route.path)
        place = places.setdefault(pattern.shape, _Place(pattern, {}, {}))
        for method in route.methods:
            if side is None or is_on(route, side):
                place.routes[method] = _Served.of(pattern, route)
            else:
                place.elsewhere[method] = side_of(route)
    return sorted(places.values(), key=lambda place: place.pattern.order)


def _first_groups(places: Iterable[_Place]) -> dict[int, tuple[_Place, int]]:
    """By the number of the group around a place's regex: the place, and where its fields begin."""
    groups, number = {}, 1
    for place in places:
        groups[number] = place, number
        number += 1 + len(place.pattern.names)
    return groups
