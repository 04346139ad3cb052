"""Whatever a client sends to a real server, it never gets a 500, and no process dies."""

from __future__ import annotations

import httpx
import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.tries import tries

CLIENT_ERRORS = {400, 404, 405, 411, 413, 415, 422}

settings.register_profile(
    "server",
    max_examples=tries(100),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=4), max_leaves=12)
documents = st.fixed_dictionaries(
    {"model": st.sampled_from(["doubler", "nobody", None, 3])},
    optional={
        "values": values | st.just([1, 2, 3]),
        "inputs": st.dictionaries(st.sampled_from(["x", "x:0", "z"]), values, max_size=2),
        "keys": st.lists(st.text(max_size=3), max_size=4),
        "version": st.integers(-1, 3) | leaves,
        "label": st.sampled_from(["canary", ""]) | leaves,
    },
)


def ask(server: RunningServer, path: str, body: bytes, content_type: str) -> httpx.Response:
    answer = server.http.post(path, content=body, headers={"Content-Type": content_type})
    assert answer.status_code in CLIENT_ERRORS | {200}, (body, answer.text)
    if answer.status_code != 200:
        assert answer.json()["status"] == answer.status_code
    return answer


@given(body=st.binary(max_size=2000))
@settings(settings.get_profile("server"))
def test_arbitrary_bytes_as_json(server: RunningServer, doubler: str, body: bytes) -> None:
    ask(server, "/json", body, "application/json")


@given(document=documents)
@settings(settings.get_profile("server"))
def test_documents_that_are_nearly_right(
    server: RunningServer, doubler: str, document: dict[str, object]
) -> None:
    try:
        body = orjson.dumps(document)
    except TypeError:  # an integer beyond 64 bits, which JSON can hold and orjson cannot write
        return
    ask(server, "/predict/json", body, "application/json")
    ask(server, "/models/doubler/versions/1/predict/json", body, "application/json")


@given(body=st.binary(max_size=2000))
@settings(settings.get_profile("server"))
def test_arbitrary_bytes_as_a_form(server: RunningServer, body: bytes) -> None:
    ask(server, "/upload", b"--b\r\n" + body, "multipart/form-data; boundary=b")


@given(model=st.binary(max_size=500))
@settings(settings.get_profile("server"), max_examples=tries(25))
def test_arbitrary_bytes_as_a_model(server: RunningServer, model: bytes) -> None:
    assert server.upload("fuzzed", model).status_code in CLIENT_ERRORS
    assert "fuzzed" not in server.names()


def test_the_server_is_whole_after_all_of_it(server: RunningServer, doubler: str) -> None:
    assert server.predict(model=doubler, values=[1, 2, 3]).json() == [2.0, 4.0, 6.0]
    log = server.log.read_text()
    assert "Traceback" not in log
    assert "died" not in log
