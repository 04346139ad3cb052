"""TensorFlow Serving's services: who may call them, for how long, and what an operator allows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import grpc
import pytest
from tfaas_plugins.protocols.private_pool import message_class

from tfaas_core.testing.clients import fake_server
from tfaas_core.testing.server import RunningServer
from tfaas_core.testing.waiting import until

SETTINGS = (
    "plugins.grpc.port=0",
    "plugins.tfserving.reload_config=true",
    'plugins.token_guard.tokens={alice = "of-alice", '
    f'carol = {{ sha256 = "{sha256(b"of-carol").hexdigest()}", rights = ["predict"],'
    ' models = ["v*"] } }',
    "plugins.access_log.enabled=true",
    "server.workers=2",
)
ALICE = (("authorization", "Bearer of-alice"),)
CAROL = (("authorization", "Bearer of-carol"),)
DEADLINE_S = 60
OF = "tensorflow.serving"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with fake_server(tmp_path_factory.mktemp("serving"), *SETTINGS) as server:
        server.http.headers["Authorization"] = "Bearer of-alice"
        for name, model in (("vk", b"sum"), ("other", b"sum"), ("very-slow", b"sleep 1")):
            files = {"model": (f"{name}.pb", model)}
            assert server.http.post("/upload", data={"name": name}, files=files).status_code == 200
        yield server


@pytest.fixture(scope="module")
def channel(serving: RunningServer) -> Iterator[grpc.Channel]:
    found = re.search(r"grpc at ([\d.:]+)", serving.start_line)
    assert found is not None
    with grpc.insecure_channel(found[1]) as channel:
        yield channel


def call(
    channel: grpc.Channel, method: str, request: Any, timeout: float = DEADLINE_S, who: Any = ALICE
) -> bytes:
    ask = channel.unary_unary(f"/{OF}.{method}")
    answer: bytes = ask(request.SerializeToString(), timeout=timeout, metadata=who)
    return answer


def predict(channel: grpc.Channel, model: str = "vk", **more: Any) -> Any:
    request = message_class(f"{OF}.PredictRequest")()
    request.model_spec.name = model
    tensor = request.inputs["x"]
    tensor.dtype = 1
    tensor.float_val.extend([1, 2, 3])
    for size in (1, 3):
        tensor.tensor_shape.dim.add(size=size)
    answer = call(channel, "PredictionService/Predict", request, **more)
    return message_class(f"{OF}.PredictResponse").FromString(answer)


def code_of(ask: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as refused:
        ask()
    return refused.value.code(), refused.value.details()


def status_of(channel: grpc.Channel, model: str) -> list[int]:
    request = message_class(f"{OF}.GetModelStatusRequest")()
    request.model_spec.name = model
    answer = call(channel, "ModelService/GetModelStatus", request)
    told = message_class(f"{OF}.GetModelStatusResponse").FromString(answer)
    return [status.state for status in told.model_version_status]


AVAILABLE, END = 30, 50


# Guards and observers.


def test_guards_are_asked_and_observers_told(channel: grpc.Channel, serving: RunningServer) -> None:
    assert list(predict(channel, who=CAROL).outputs["sum"].float_val) == [6]
    line = "PredictionService/Predict 200 as=carol codec=tfserving model=vk version=1 rows=1"
    until(lambda: line in serving.log.read_text())


def test_who_is_unknown_or_may_not_is_refused(channel: grpc.Channel) -> None:
    code, sentence = code_of(lambda: predict(channel, who=()))
    assert code == grpc.StatusCode.UNAUTHENTICATED
    assert "this server asks for a token" in sentence
    code, sentence = code_of(lambda: predict(channel, "other", who=CAROL))
    assert code == grpc.StatusCode.PERMISSION_DENIED
    # So it is for a model that is not there: who may not go there does not learn that.
    assert code_of(lambda: predict(channel, "nobody", who=CAROL)) == (code, sentence)


def test_the_metadata_of_a_model_takes_a_right_to_it(channel: grpc.Channel) -> None:
    request = message_class(f"{OF}.GetModelMetadataRequest")(metadata_field=["signature_def"])
    request.model_spec.name = "other"
    ask = "PredictionService/GetModelMetadata"
    refused = code_of(lambda: call(channel, ask, request, who=CAROL))
    assert refused[0] == grpc.StatusCode.PERMISSION_DENIED
    assert call(channel, ask, request)


# Deadlines.


def rows_in_flight(serving: RunningServer) -> int:
    models = serving.http.get("/status").json()["models"]
    return sum(each["rows_in_flight"] for each in models if each["model"] == "very-slow/1")


def test_a_deadline_ends_a_call_and_frees_its_place(
    channel: grpc.Channel, serving: RunningServer
) -> None:
    code, _ = code_of(lambda: predict(channel, "very-slow", timeout=0.3))
    assert code == grpc.StatusCode.DEADLINE_EXCEEDED
    until(lambda: rows_in_flight(serving) == 0)


def test_a_call_that_is_cancelled_frees_its_place(
    channel: grpc.Channel, serving: RunningServer
) -> None:
    request = message_class(f"{OF}.PredictRequest")()
    request.model_spec.name = "very-slow"
    request.inputs["x"].CopyFrom(message_class("tensorflow.TensorProto")(dtype=1))
    for size in (1, 3):
        request.inputs["x"].tensor_shape.dim.add(size=size)
    ask = channel.unary_unary(f"/{OF}.PredictionService/Predict")
    waiting: list[Any] = []

    def is_in_flight() -> bool:
        if not waiting or waiting[-1].done():  # it was over before anybody looked
            message = request.SerializeToString()
            waiting.append(ask.future(message, timeout=DEADLINE_S, metadata=ALICE))
        return rows_in_flight(serving) == 1

    until(is_in_flight)
    waiting[-1].cancel()
    until(lambda: rows_in_flight(serving) == 0)


# What an operator allows.


def reload(channel: grpc.Channel, *models: dict[str, Any], who: Any = ALICE) -> int:
    return int(reloaded(channel, *models, who=who).error_code)


def reloaded(channel: grpc.Channel, *models: dict[str, Any], who: Any = ALICE) -> Any:
    request = message_class(f"{OF}.ReloadConfigRequest")()
    request.config.model_config_list.SetInParent()
    for model in models:
        request.config.model_config_list.config.add(**model)
    answer = call(channel, "ModelService/HandleReloadConfigRequest", request, who=who)
    told = message_class(f"{OF}.ReloadConfigResponse").FromString(answer)
    assert told.HasField("status")
    return told.status


@pytest.fixture
def all_served(channel: grpc.Channel) -> Iterator[None]:
    yield
    reload(channel, *({"name": name} for name in ("vk", "other", "very-slow")))


@pytest.mark.usefixtures("all_served")
def test_the_models_of_a_list_are_served_and_no_others(
    channel: grpc.Channel, serving: RunningServer
) -> None:
    labelled = {"name": "vk", "base_path": "/anywhere", "version_labels": {"stable": 1}}
    assert reload(channel, labelled) == 0
    assert status_of(channel, "vk") == [AVAILABLE]
    assert status_of(channel, "other") == [END]
    assert serving.http.get("/models/vk/labels").json() == {"stable": 1}
    for _ in range(8):  # whichever HTTP worker answers
        code, sentence = code_of(lambda: predict(channel, "other"))
        assert code == grpc.StatusCode.UNAVAILABLE
        assert "it was unloaded" in sentence
    assert serving.http.post("/v1/models/other:predict", json={"inputs": [[1, 2, 3]]}).is_error
    assert reload(channel, labelled, {"name": "other"}) == 0
    assert list(predict(channel, "other").outputs["sum"].float_val) == [6]


def specific(*versions: int) -> dict[str, Any]:
    return {"specific": {"versions": versions}}


@pytest.mark.usefixtures("all_served")
@pytest.mark.parametrize(
    ("policy", "told"), [(specific(1), "model_version_policy"), ({"all": {}}, ""), ({}, "")]
)
def test_a_policy_of_versions_is_not_passed_over_in_silence(
    channel: grpc.Channel, policy: dict[str, Any], told: str
) -> None:
    status = reloaded(channel, {"name": "vk", "model_version_policy": policy})
    assert status.error_code == 0
    assert told in status.error_message
    assert bool(told) == bool(status.error_message)


@pytest.mark.parametrize(
    ("models", "told"),
    [
        ([{"name": "nobody", "base_path": "/etc"}], "model 'nobody' is not stored here"),
        ([{"name": "vk"}, {"name": "vk"}], "is in the list twice"),
        ([{"name": "vk", "version_labels": {"stable": 7}}], "has no version 7"),
        ([{"name": "vk", "model_version_policy": specific(1, 8)}], "has no version 8"),
        ([{"name": "vk", "version_labels": {"a/b": 1}}], "label"),
        ([{}], "model '' is not stored here"),
    ],
)
def test_lists_that_are_refused_change_nothing(
    channel: grpc.Channel, models: list[dict[str, Any]], told: str
) -> None:
    code, sentence = code_of(lambda: reload(channel, *models))
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert told in sentence
    assert status_of(channel, "other") == [AVAILABLE]


def test_a_configuration_of_another_kind_is_refused(channel: grpc.Channel) -> None:
    request = message_class(f"{OF}.ReloadConfigRequest")()
    ask = "ModelService/HandleReloadConfigRequest"
    code, sentence = code_of(lambda: call(channel, ask, request))
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert "Only ModelConfigList is currently supported" in sentence


def test_a_reload_is_for_administrators(channel: grpc.Channel) -> None:
    code, _ = code_of(lambda: reload(channel, {"name": "vk"}, who=CAROL))
    assert code == grpc.StatusCode.PERMISSION_DENIED
