"""TensorFlow Serving's own stubs, and a server that they call."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.server.protocol_models import NAME, many_signatures, upload_bundle
from tfaas_core.testing.server import RunningServer, running_server

INVALID = grpc.StatusCode.INVALID_ARGUMENT
DEADLINE_S = 60


class Stubs:
    """TensorFlow Serving's stubs, and messages for the model ``many``."""

    def __init__(self, channel: Any) -> None:
        import tensorflow as tf
        from tensorflow_serving.apis import (
            classification_pb2,
            get_model_metadata_pb2,
            get_model_status_pb2,
            inference_pb2,
            model_pb2,
            model_service_pb2_grpc,
            predict_pb2,
            prediction_service_pb2_grpc,
            regression_pb2,
        )

        self.channel = channel
        self.tf: Any = tf
        self.predictions = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(channel)
        self.predict_pb2: Any = predict_pb2
        self.classification_pb2: Any = classification_pb2
        self.regression_pb2: Any = regression_pb2
        self.inference_pb2: Any = inference_pb2
        self.metadata_pb2: Any = get_model_metadata_pb2
        self.status_pb2: Any = get_model_status_pb2
        self.model_pb2: Any = model_pb2

    def spec(self, signature: str = "", **fields: Any) -> Any:
        return self.model_pb2.ModelSpec(name=NAME, signature_name=signature, **fields)

    def request(self, signature: str = "", /, *, outputs: Any = (), **inputs: Any) -> Any:
        request = self.predict_pb2.PredictRequest(
            model_spec=self.spec(signature), output_filter=outputs
        )
        for name, value in inputs.items():
            is_message = isinstance(value, self.tensor())
            request.inputs[name].CopyFrom(value if is_message else self.tf.make_tensor_proto(value))
        return request

    def predict(self, signature: str = "", /, **inputs: Any) -> dict[str, Any]:
        answer = self.predictions.Predict(self.request(signature, **inputs), timeout=DEADLINE_S)
        return {name: self.tf.make_ndarray(value) for name, value in answer.outputs.items()}

    def tensor(self) -> Any:
        return type(self.predict_pb2.PredictRequest().inputs["x"])

    def examples(self, *examples: dict[str, float]) -> list[Any]:
        made = []
        for each in examples:
            example = self.tf.train.Example()
            for name, value in each.items():
                example.features.feature[name].float_list.value.append(value)
            made.append(example)
        return made

    def regress(self, signature: str = "regress", **kind: Any) -> Any:
        request = self.regression_pb2.RegressionRequest(model_spec=self.spec(signature))
        for name, fields in kind.items():
            field = getattr(request.input, name)
            field.SetInParent()
            field.examples.extend(fields["examples"])
            if "context" in fields:
                field.context.CopyFrom(fields["context"])
        return self.predictions.Regress(request, timeout=DEADLINE_S)


def refused(call: Any, *arguments: Any, **more: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as error:
        call(*arguments, timeout=DEADLINE_S, **more)
    return error.value.code(), error.value.details()


@contextmanager
def serving_many(folder: Path) -> Iterator[RunningServer]:
    """It serves the model ``many``, as version 123 and ``stable``, over gRPC, too."""
    with running_server(folder, "server.workers=2", "plugins.grpc.port=0") as server:
        bundle = many_signatures(folder)
        assert upload_bundle(server, bundle, version=123).status_code == 200
        labelled = server.http.put(f"/models/{NAME}/labels/stable", json={"version": 123})
        assert labelled.status_code == 200
        yield server


@contextmanager
def stubs_of(server: RunningServer) -> Iterator[Stubs]:
    """The stubs that call it."""
    found = re.search(r"grpc at ([\d.:]+)", server.start_line)
    assert found is not None
    with grpc.insecure_channel(found[1]) as channel:
        yield Stubs(channel)
