"""The OpenAPI document: it is one, has all routes, and is true."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from openapi_spec_validator import validate

from tests.fuzz.openapi_host import OpenApiHost
from tfaas_core.hookspecs import hookimpl
from tfaas_core.operation import Operation
from tfaas_core.route import Request, Response, Route, json_response
from tfaas_core.testing.fake_request import FakeLane, FakeRequest
from tfaas_core.testing.hosts import host_of
from tfaas_core.testing.loops import in_event_loop


@pytest.fixture(scope="module")
def host() -> Iterator[OpenApiHost]:
    host = OpenApiHost()
    yield host
    host.end()


def test_the_server_answers_as_its_document_says(host: OpenApiHost) -> None:
    for name, test in host.tests.items():
        try:
            test()
        except Exception as error:
            error.add_note(f"for {name}")
            raise


async def ask(_request: Request) -> Response:
    return json_response({})


class Plugin:
    """Registers a route that says nothing of itself, and one that does."""

    @hookimpl
    def tfaas_register_routes(self) -> Iterable[Route]:
        return [
            Route("/plain/{which}", ("GET", "POST"), ask),
            Route("/plain-as/it", ("GET",), ask, operation=Operation(statuses=(599,))),
            Route("/plain_as/it", ("GET",), ask),
            Route("/plain/{another}", ("PUT",), ask),
            Route("/said/{rest...}", ("POST",), ask, right="predict", operation=SAID),
        ]


SAID = Operation(
    below={
        "{name}:ask": Operation(
            "asks",
            takes=("text/csv",),
            gives=("text/csv",),
            query={"by": "what they are sorted by"},
            statuses=(418,),
        )
    }
)


async def document_with(*settings: str) -> tuple[dict[str, Any], set[str]]:
    """What a host with the plugin answers, and the routes that it has."""
    async with host_of([Plugin()], settings=settings) as host:
        base = host.config.server.base
        answer = await FakeLane(host).answer(FakeRequest.of("GET", f"{base}/openapi.json"))
        assert (answer.status, answer.media_type) == (200, "application/json")
        there = {f"{method} {route.path}" for route in host.routes() for method in route.methods}
        return json.loads(answer.body), there


@in_event_loop
async def test_it_is_valid_and_has_each_route_those_of_plugins_too() -> None:
    document, there = await document_with("server.base='/lab'")
    validate(document)
    assert document["openapi"] == "3.1.0"
    assert document["servers"] == [{"url": "/lab"}]
    told = {
        f"{method.upper()} {path}"
        for path, operations in document["paths"].items()
        for method in operations
    }
    # What stands for the rest of a path is told one by one, and alike paths are one.
    alike = {each.replace("{another}", "{which}") for each in there}
    assert {each for each in alike if "..." not in each} <= told
    assert {"POST /v1/models/{name}:predict", "POST /v2/models/{name}/infer"} <= told


@in_event_loop
async def test_a_route_that_says_nothing_has_what_is_known_of_it() -> None:
    document, _ = await document_with()
    plain = document["paths"]["/plain/{which}"]
    (field,) = plain["get"]["parameters"]
    assert (field["name"], field["in"], field["required"]) == ("which", "path", True)
    assert {"200", "401", "404", "503"} <= plain["get"]["responses"].keys()
    assert "requestBody" not in plain["get"]
    assert plain["post"]["requestBody"] == {"required": False, "content": {"*/*": {}}}
    assert {"413", "507"} <= plain["post"]["responses"].keys()


@in_event_loop
async def test_paths_that_differ_in_the_names_of_fields_alone_are_one() -> None:
    document, _ = await document_with()
    assert "/plain/{another}" not in document["paths"]
    plain = document["paths"]["/plain/{which}"]
    assert plain.keys() == {"get", "post", "put"}
    assert [field["name"] for field in plain["put"]["parameters"]] == ["which"]


@in_event_loop
async def test_what_a_route_says_is_there() -> None:
    document, _ = await document_with()
    said = document["paths"]["/said/{name}:ask"]["post"]
    assert said["summary"] == "asks"
    assert said["requestBody"]["content"] == {"text/csv": {}}
    assert said["responses"]["200"]["content"] == {"text/csv": {}}
    assert "418" in said["responses"]
    assert [field["name"] for field in said["parameters"]] == ["name", "by"]
