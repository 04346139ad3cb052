"""What the OpenAPI document says of the Open Inference Protocol."""

from __future__ import annotations

from tfaas_core.operation import LIST, OBJECT, Operation, object_of

_JSON = ("application/json",)
_BINARY = (*_JSON, "application/octet-stream")

_MODELS = ("models/{name}", "models/{name}/versions/{version}")
_TENSOR = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
_INFER = {
    "type": "object",
    "required": ["inputs"],
    "properties": {"id": {"type": "string"}, "inputs": {"type": "array", "items": _TENSOR}},
}
_LOOKS = {
    "": Operation("what a model takes and gives", answer=OBJECT),
    "/ready": Operation("whether a model is ready", gives=("*/*",), statuses=(400,)),
    "/stats": Operation("statistics of a model", answer=OBJECT),
    "/config": Operation("a model's configuration, as Triton has it", answer=OBJECT),
}

SERVER = Operation("which server this is", answer=OBJECT)
HEALTH = Operation("whether the server is alive, or ready", gives=("*/*",))
GET = Operation(
    "the Open Inference Protocol",
    below={f"{model}{what}": said for model in _MODELS for what, said in _LOOKS.items()},
)
POST = Operation(
    "the Open Inference Protocol",
    below={
        f"{model}/infer": Operation(
            "predicts, by JSON, or with binary tensors behind it", _BINARY, _INFER, gives=_BINARY
        )
        for model in _MODELS
    },
)
LOOKS = {
    "models": Operation("lists the names of models", answer=OBJECT),
    "models/stats": Operation("statistics of all models", answer=OBJECT),
    "logging": Operation("what is logged", answer=OBJECT),
}
INDEX = Operation("lists all versions", _JSON, object_of(ready="boolean"), True, answer=LIST)
CONTROL = {
    what: Operation(f"{what}s a model, if that is allowed", _JSON, OBJECT, True, gives=("*/*",))
    for what in ("load", "unload")
}
