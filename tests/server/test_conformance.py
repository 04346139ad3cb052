"""The conformance kit: TFaaS passes it, and servers that are wrong do not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.server.changing_calls import CallChange, changing_calls
from tests.server.changing_proxy import Answered, Change, changing
from tests.server.wrong_calls import INFERENCE_CALLS, SERVING_CALLS, WrongCalls
from tests.server.wrong_protocols import Wrong
from tests.server.wrong_servers import WRONG_SERVERS
from tfaas_core.cli import main
from tfaas_core.testing.conformance import Case, Subject, cases
from tfaas_core.testing.conformance.calls.subject import GrpcSubject
from tfaas_core.testing.server import RunningServer, running_server

PROTOCOLS = ("oip", "tfserving")
CASES = {case.id: case for protocol in PROTOCOLS for case in cases(protocol)}
CALLS = {case.id: case for protocol in PROTOCOLS for case in cases(protocol, over_grpc=True)}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with the models of the kit, which the command has put there."""
    folder = tmp_path_factory.mktemp("conformance")
    settings = ("plugins.oip.model_control=true", "plugins.grpc.port=0")
    with running_server(folder, *settings) as server:
        assert main(["conformance", server.url, "--upload", "--only", "oip.health.live"]) == 0
        yield server


@pytest.fixture(scope="module")
def subject(served: RunningServer) -> Subject:
    return Subject(served.url)


@pytest.fixture(scope="module")
def address(served: RunningServer) -> str:
    """Where gRPC is spoken."""
    found = re.search(r"grpc at ([\d.:]+)", served.start_line)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def called(address: str) -> Iterator[GrpcSubject]:
    with GrpcSubject(address) as subject:
        yield subject


@pytest.fixture(scope="module")
def announced(served: RunningServer) -> list[str]:
    """The extensions of the Open Inference Protocol that the server has."""
    return ["", *served.http.get("/v2").json()["extensions"]]


@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.id)
def test_the_server_passes(subject: Subject, announced: list[str], case: Case) -> None:
    outcome = subject.outcome(case)
    expected = "passed" if case.extension in announced else "skipped"
    assert outcome.result == expected, str(outcome)


@pytest.mark.parametrize("case", CALLS.values(), ids=lambda case: case.id)
def test_the_server_passes_over_grpc(called: GrpcSubject, case: Case) -> None:
    outcome = called.outcome(case)
    assert outcome.result == "passed", str(outcome)


@pytest.mark.parametrize("wrong", WRONG_SERVERS, ids=lambda wrong: wrong.does)
def test_a_wrong_server_is_noticed(served: RunningServer, wrong: Wrong) -> None:
    with changing(served.url, wrong.change) as url:
        subject = Subject(url)
        results = {name: subject.outcome(CASES[name]) for name in wrong.noticed_by}
    passed = [str(outcome) for outcome in results.values() if outcome.result != "failed"]
    assert passed == []


WRONG_CALLS = [
    pytest.param(wrong, id=f"{protocol} {wrong.does}")
    for protocol, all_of_them in (("oip", INFERENCE_CALLS), ("tfserving", SERVING_CALLS))
    for wrong in all_of_them
]


@pytest.mark.parametrize("wrong", WRONG_CALLS)
def test_a_wrong_server_is_noticed_over_grpc(address: str, wrong: WrongCalls) -> None:
    with changing_calls(address, wrong.change) as place, GrpcSubject(place) as subject:
        results = {name: subject.outcome(CALLS[name]) for name in wrong.noticed_by}
    passed = [str(outcome) for outcome in results.values() if outcome.result != "failed"]
    assert passed == []


def test_a_proxy_of_calls_that_changes_nothing_is_right(address: str) -> None:
    noticing = {name for wrong in (*INFERENCE_CALLS, *SERVING_CALLS) for name in wrong.noticed_by}
    with changing_calls(address, CallChange()) as place, GrpcSubject(place) as subject:
        outcomes = [subject.outcome(CALLS[name]) for name in sorted(noticing)]
    assert [str(outcome) for outcome in outcomes if outcome.result != "passed"] == []


def test_a_proxy_that_changes_nothing_is_right(served: RunningServer) -> None:
    noticing = {name for wrong in WRONG_SERVERS for name in wrong.noticed_by}
    with changing(served.url, lambda sent, ask: ask(sent)) as url:
        subject = Subject(url)
        outcomes = [subject.outcome(case) for name, case in CASES.items() if name in noticing]
    assert [str(outcome) for outcome in outcomes if outcome.result != "passed"] == []


def test_no_case_holds_for_whatever_is_answered(served: RunningServer) -> None:
    left = set(CASES)
    extensions = {case.extension for case in CASES.values() if case.extension}
    metadata = json.dumps({"extensions": sorted(extensions)}).encode()
    for status, body in ((200, metadata), (500, b'{"error": "no"}')):
        told = Answered(status, {"content-type": "application/json"}, body)
        with changing(served.url, always(told)) as url:
            subject = Subject(url)
            left = {name for name in left if subject.outcome(CASES[name]).result != "failed"}
    assert left == set()


def always(told: Answered) -> Change:
    return lambda sent, ask: told


def test_what_a_server_lacks_is_skipped_with_why(served: RunningServer) -> None:
    models = [record["name"] for record in served.http.get("/models").json()]
    assert "conformance_pair" in models
    with changing(
        served.url,
        lambda sent, ask: ask(sent._replace(path=sent.path.replace("conformance_pair", "no_pair"))),
    ) as url:
        outcome = Subject(url).outcome(CASES["oip.infer.all_outputs"])
    assert outcome.result == "skipped"
    assert outcome.reason == "the server does not serve model conformance_pair: 404"
