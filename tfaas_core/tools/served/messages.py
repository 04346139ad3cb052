"""Messages of TensorFlow Serving and Triton: of each, the fields that count here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf import (  # type: ignore[import-untyped]
    descriptor_pb2,
    descriptor_pool,
    message_factory,
)

_PACKAGE = "tfaas.served"

_LISTS_AT_THE_TOP = (
    *("instance_group", "optimization", "sequence_batching", "ensemble_scheduling", "model_warmup"),
    *("dynamic_batching", "batch_input", "batch_output", "parameters", "metric_tags"),
    *("cc_model_filenames", "model_repository_agents", "model_metrics"),
)
_LISTS_BELOW = (
    *("rate_limiter", "resources", "secondary_devices", "cuda", "graph_spec", "graph_lower_bound"),
    *("execution_accelerators", "gpu_execution_accelerator", "cpu_execution_accelerator"),
    *("control_input", "control", "state", "initial_state", "step", "input_map", "output_map"),
    *("priority_queue_policy", "inputs", "input", "agents", "parameters", "metric_control"),
)
"""Messages of Triton that may be lists, or hold some. Their contents do not count; but a list may
follow its name without a colon, and the parser skips only what is no such list."""


def _ignored(names: Iterable[str], first: int) -> list[str]:
    return [f"{number} Ignored* {name}" for number, name in enumerate(names, first)]


_CONFIGURATIONS = {
    "Latest": ["1 uint32 num_versions"],
    "All": [],
    "Specific": ["1 int64* versions"],
    "Policy": ["100 Latest latest", "101 All all", "102 Specific specific"],
    "Label": ["1 string key", "2 int64 value"],
    "ServingModel": [
        *("1 string name", "2 string base_path", "4 string model_platform"),
        *("7 Policy model_version_policy", "8 Label* version_labels"),
    ],
    "ModelList": ["1 ServingModel* config"],
    "ModelServer": ["1 ModelList model_config_list"],
    "Input": ["1 string name"],
    "Output": ["1 string name", "5 string label_filename"],
    "TritonModel": [
        *("1 string name", "2 string platform", "3 Policy version_policy"),
        *("4 int32 max_batch_size", "5 Input* input", "6 Output* output"),
        *("8 string default_model_filename", "17 string backend"),
        *_ignored(_LISTS_AT_THE_TOP, 1000),
    ],
    "Ignored": _ignored(_LISTS_BELOW, 1),
}

_LOGGED_REQUESTS = {
    "Dimension": ["1 int64 size"],
    "Shape": ["2 Dimension* dim"],
    "Tensor": [
        *("1 int32 dtype", "2 Shape tensor_shape", "4 bytes tensor_content"),
        *("5 float* float_val", "6 double* double_val", "7 int32* int_val", "8 bytes* string_val"),
        *("9 float* scomplex_val", "10 int64* int64_val", "11 bool* bool_val"),
        *("12 double* dcomplex_val", "13 int32* half_val"),
        *("16 uint32* uint32_val", "17 uint64* uint64_val"),
    ],
    "ModelSpec": ["3 string signature_name"],
    "NamedTensor": ["1 string key", "2 Tensor value"],
    "PredictRequest": ["1 ModelSpec model_spec", "2 NamedTensor* inputs"],
    "ExampleList": ["1 bytes* examples"],
    "ExamplesInContext": ["1 bytes* examples", "2 bytes context"],
    "Examples": ["1 ExampleList example_list", "2 ExamplesInContext example_list_with_context"],
    "ExamplesRequest": ["1 ModelSpec model_spec", "2 Examples input"],
    "PredictLog": ["1 PredictRequest request"],
    "ExamplesLog": ["1 ExamplesRequest request"],
    "PredictionLog": [
        *("2 ExamplesLog classify_log", "3 ExamplesLog regress_log", "6 PredictLog predict_log"),
    ],
}
"""An Example stays bytes here, as a model takes it."""


def _made(messages: Mapping[str, Iterable[str]]) -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="tfaas_served.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field in fields:
            _add_field(message, messages, *field.split())
    pool = descriptor_pool.DescriptorPool()  # of our own: TensorFlow has files in the common one
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in messages
    }


def _add_field(
    message: Any, messages: Mapping[str, Iterable[str]], number: str, kind: str, name: str
) -> None:
    field = message.field.add(name=name, number=int(number))
    field.label = field.LABEL_REPEATED if kind.endswith("*") else field.LABEL_OPTIONAL
    kind = kind.rstrip("*")
    if kind in messages:
        field.type, field.type_name = field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
    else:
        field.type = getattr(field, f"TYPE_{kind.upper()}")


MESSAGES = _made(_CONFIGURATIONS | _LOGGED_REQUESTS)
"""The classes, by their names here. A map is a repeated message with ``key`` and ``value``, and a
oneof its fields."""
