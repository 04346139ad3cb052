"""A process that has our messages and those of others, ours ``first`` or ``last``.

It fails unless both say the same of every message and service of ours, and read each other's bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

OTHERS = (
    "tensorflow",
    "tensorflow_serving.apis.prediction_service_pb2",
    "tensorflow_serving.apis.model_service_pb2",
    "tritonclient.grpc",
)
OURS = "tfaas_plugins.protocols.private_pool"
PACKAGES = ("tensorflow.", "inference.")


def main(order: str) -> None:
    for name in (OURS, *OTHERS) if order == "first" else (*OTHERS, OURS):
        module = import_module(name)
        if name == OURS:
            module.message_class("inference.ModelInferRequest")
    compare_descriptors()
    exchange_tensors()
    exchange_examples()
    exchange_inference()


def compare_descriptors() -> None:
    from google.protobuf.descriptor_pool import Default  # type: ignore[import-untyped]
    from tfaas_plugins.protocols.private_pool import private_pool

    pool, compared = private_pool(), 0
    for message in all_messages(pool):
        theirs = Default().FindMessageTypeByName(message.full_name)
        for field in message.fields:
            assert told(field) == told(theirs.fields_by_number[field.number]), field.full_name
            compared += 1
        for enum in message.enum_types:
            compare_enum(enum, theirs.enum_types_by_name[enum.name])
    for name in ("tensorflow.DataType", "inference.DataType", "tensorflow.error.Code"):
        compare_enum(pool.FindEnumTypeByName(name), Default().FindEnumTypeByName(name))
    for name in (
        "tensorflow.serving.PredictionService",
        "tensorflow.serving.ModelService",
        "inference.GRPCInferenceService",
    ):
        ours, theirs = pool.FindServiceByName(name), Default().FindServiceByName(name)
        assert [calls(each) for each in ours.methods] == [calls(each) for each in theirs.methods]
    assert compared > 300


def all_messages(pool: Any) -> Iterator[Any]:
    """Those of the files, and those inside them."""
    folder = "tfaas_plugins/protocols/protos"
    names = ("tensorflow", "tensorflow_serving", "inference", "inference_config")
    waiting = [
        message
        for name in names
        for message in pool.FindFileByName(f"{folder}/{name}.proto").message_types_by_name.values()
    ]
    while waiting:
        message = waiting.pop()
        waiting += message.nested_types
        yield message


def told(field: Any) -> tuple[Any, ...]:
    """What is on the wire, and what a client calls it."""
    kind = field.message_type or field.enum_type
    oneof = field.containing_oneof and field.containing_oneof.name
    packed = field.is_packed
    return field.name, field.type, field.is_repeated, packed, oneof, kind and kind.full_name


def compare_enum(ours: Any, theirs: Any) -> None:
    for value in ours.values:
        assert theirs.values_by_number[value.number].name == value.name, value.name


def calls(method: Any) -> tuple[Any, ...]:
    sent, answered = method.input_type.full_name, method.output_type.full_name
    return method.name, sent, answered, method.client_streaming, method.server_streaming


def exchange_tensors() -> None:
    import numpy as np
    import tensorflow as tf
    from tensorflow_serving.apis.predict_pb2 import PredictRequest
    from tfaas_plugins.protocols.private_pool import message_class

    theirs = PredictRequest()
    theirs.model_spec.version.value = 1 << 40
    theirs.inputs["x"].CopyFrom(tf.make_tensor_proto(np.arange(6.0).reshape(2, 3)))
    ours = message_class("tensorflow.serving.PredictRequest").FromString(theirs.SerializeToString())
    assert type(ours) is not PredictRequest
    assert ours.model_spec.version.value == 1 << 40
    assert [dim.size for dim in ours.inputs["x"].tensor_shape.dim] == [2, 3]
    ours.inputs["x"].Clear()
    ours.inputs["x"].dtype = 1
    ours.inputs["x"].float_val.extend([0.5, -1])
    ours.inputs["x"].tensor_shape.dim.add(size=2)
    back = PredictRequest.FromString(ours.SerializeToString())
    assert tf.make_ndarray(back.inputs["x"]).tolist() == [0.5, -1]


def exchange_examples() -> None:
    import tensorflow as tf
    from tfaas_plugins.protocols.private_pool import message_class

    ours = message_class("tensorflow.Example")()
    ours.features.feature["age"].int64_list.value.extend([1, -2])
    theirs = tf.train.Example.FromString(ours.SerializeToString())
    assert list(theirs.features.feature["age"].int64_list.value) == [1, -2]


def exchange_inference() -> None:
    from tfaas_plugins.protocols.private_pool import message_class
    from tritonclient.grpc.service_pb2 import ModelInferRequest

    theirs = ModelInferRequest(model_name="m", raw_input_contents=[b"\0\1"])
    theirs.parameters["timeout"].uint64_param = 7
    ours = message_class("inference.ModelInferRequest").FromString(theirs.SerializeToString())
    assert ours.parameters["timeout"].uint64_param == 7
    assert ModelInferRequest.FromString(ours.SerializeToString()) == theirs


if __name__ == "__main__":
    main(sys.argv[1])
