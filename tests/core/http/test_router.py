"""Which route answers a path, and what a client is told that asks for none."""

from __future__ import annotations

import asyncio
import timeit
from functools import partial

import pytest

from tfaas_core.config import load_config
from tfaas_core.host import Host
from tfaas_core.http.request import HttpRequest
from tfaas_core.http.router import Router
from tfaas_core.route import ClientAddress, Head, Request, Response, Right, Route
from tfaas_core.routing.seam import SealedRoute, sealed
from tfaas_core.wiring.composition import Composition


def route(path: str, *methods: str, right: Right | None = None) -> SealedRoute:
    async def handler(_request: Request) -> Response:
        return Response(path.encode())

    return sealed(Route(path, methods or ("GET",), handler, right=right))


def answer(router: Router, method: str, path: str) -> Response:
    found = router.find(method, path)
    head = Head(method, path, path_fields=found.path_fields)
    return asyncio.run(found.passage(HttpRequest(head, ClientAddress())))


PATHS = [
    "/{rest...}",
    "/{name}",
    "/{name}:predict",
    "/v-{name}",
    "/{name}/x",
    "/models/{name}",
    "/models/live",
    "/models/{rest...}",
    "/{a}/{b}",
    "/",
]

WINNERS = {
    "/models/live": "/models/live",
    "/models/dead": "/models/{name}",
    "/models/a/b": "/models/{rest...}",
    "/a": "/{name}",
    "/a:predict": "/{name}:predict",
    "/v-a": "/v-{name}",
    "/v-a:predict": "/{name}:predict",
    "/models/x": "/models/{name}",
    "/model/x": "/{name}/x",
    "/model/y": "/{a}/{b}",
    "/a/b/c": "/{rest...}",
    "//": "/",
    "//a": "/{rest...}",
}


@pytest.mark.parametrize("reverse", [False, True])
def test_text_is_before_fields_and_more_text_before_less(reverse: bool) -> None:
    router = Router([route(path) for path in (PATHS[::-1] if reverse else PATHS)])
    assert {path: answer(router, "GET", path).body.decode() for path in WINNERS} == WINNERS


def test_routes_of_one_shape_may_call_their_fields_differently() -> None:
    router = Router([route("/m/{name}", "GET"), route("/m/{model}", "DELETE")])
    assert dict(router.find("GET", "/m/a").path_fields) == {"name": "a"}
    assert dict(router.find("DELETE", "/m/a").path_fields) == {"model": "a"}
    assert answer(router, "PUT", "/m/a").headers == {"Allow": "DELETE, GET, HEAD"}


def test_each_of_many_fields_gets_its_own_value() -> None:
    router = Router([route(f"/{n}/{{a}}-{{b}}/x/{{c}}") for n in "pqr"])
    assert dict(router.find("GET", "/q/1-2/x/3").path_fields) == {"a": "1", "b": "2", "c": "3"}


def test_a_get_is_served_to_head_unless_a_route_does_so_itself() -> None:
    router = Router([route("/a"), route("/b", "GET"), route("/{b}", "HEAD")])
    assert answer(router, "HEAD", "/a").body == b"/a"
    assert answer(router, "HEAD", "/c").body == b"/{b}"
    assert answer(router, "GET", "/c").headers == {"Allow": "HEAD"}


def test_a_path_that_nobody_serves_is_a_404() -> None:
    refused = answer(Router([route("/json", "POST")]), "POST", "/nowhere")
    assert refused.status == 404
    assert b"nothing is served at /nowhere; see `tfaas routes`" in refused.body


def test_what_is_on_another_port_is_a_404_that_says_so() -> None:
    routes = [
        *(route("/m/{name}", "POST", right="predict"), route("/m/{name}", "GET", "PUT")),
        *(route("/{rest...}", "GET", right="predict"), route("/m", "GET", right="read")),
    ]
    router = Router(routes, side="predictions")
    assert answer(router, "POST", "/m/a").status == 200
    for method, path in (("GET", "/m/a"), ("HEAD", "/m/a"), ("PUT", "/m/a"), ("PATCH", "/m")):
        refused = answer(router, method, path)
        assert refused.status == 404
        told = f"{path} is on another port: that for management (server.admin_port)"
        assert told.encode() in refused.body
    # Which route is asked is the same as on one port.
    assert answer(router, "GET", "/m").status == 404
    assert answer(router, "GET", "/a/b").status == 200
    assert answer(router, "PATCH", "/m/a").headers == {"Allow": "POST"}
    router = Router(routes, side="management")
    assert answer(router, "GET", "/m/a").status == answer(router, "GET", "/m").status == 200
    assert b"that for predictions (server.port)" in answer(router, "POST", "/m/a").body


def test_a_method_that_a_path_does_not_take_is_a_405_that_lists_what_it_takes() -> None:
    router = Router([route("/models/live", "GET"), route("/models/{name}", "GET", "DELETE")])
    refused = answer(router, "DELETE", "/models/live")
    assert (refused.status, refused.headers) == (405, {"Allow": "GET, HEAD"})
    assert b"/models/live does not take DELETE" in refused.body
    assert answer(router, "get", "/models/x").headers == {"Allow": "DELETE, GET, HEAD"}


def test_a_field_that_is_no_utf_8_is_a_400() -> None:
    assert answer(Router([route("/{name}")]), "GET", "/%FF").status == 400


def test_all_paths_live_under_the_base() -> None:
    router = Router([route("/"), route("/a"), route("/m/{name}"), route("/f/{p...}")], "/t.x")
    for path in ("/", "/a", "/m/x", "/tax/a", "/t.x/m/", "/t.xa"):
        assert answer(router, "GET", path).status == 404, path
    for path in ("/t.x", "/t.x/", "/t.x/a", "/t.x/m/x", "/t.x/f/x/y"):
        assert answer(router, "GET", path).status == 200, path


def test_without_routes_nothing_is_served() -> None:
    assert answer(Router([]), "GET", "/").status == 404


def test_a_look_up_among_all_built_in_routes_takes_microseconds() -> None:
    router = Router(Host.at_rest(Composition.of(load_config(environ={}))).routes())
    for path in ("/json", "/models/vk/labels/prod/predict/json", "/models/vk/nothing/there"):
        looks = timeit.repeat(partial(router.find, "POST", path), number=100, repeat=20)
        assert min(looks) / 100 < 50e-6, path
