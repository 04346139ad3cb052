"""The services of TensorFlow Serving, as gRPC serves them."""

from __future__ import annotations

from collections.abc import Iterator

from tfaas_core.host import Host
from tfaas_core.service import Method, Service
from tfaas_plugins.protocols.private_pool import files_of
from tfaas_plugins.protocols.tfserving.model_calls import ModelCalls
from tfaas_plugins.protocols.tfserving.prediction_calls import PredictionCalls
from tfaas_plugins.protocols.tfserving.reload import ReloadCall
from tfaas_plugins.protocols.unloaded import UnloadedModels

_PREDICTIONS = "tensorflow.serving.PredictionService"
_MODELS = "tensorflow.serving.ModelService"


def services(host: Host, unloaded: UnloadedModels | None) -> Iterator[Service]:
    """Who may predict may see what a model takes. ``unloaded``: None: no call may change that."""
    predictions, models = PredictionCalls(host), ModelCalls(host)
    calls = {
        "Predict": predictions.predict,
        "Classify": predictions.classify,
        "Regress": predictions.regress,
        "MultiInference": predictions.multi_inference,
        "GetModelMetadata": models.get_model_metadata,
    }
    methods = {name: Method(handler) for name, handler in calls.items()}
    yield Service(_PREDICTIONS, methods, files_of(_PREDICTIONS))
    methods = {
        "GetModelStatus": Method(models.get_model_status),
        "HandleReloadConfigRequest": Method(ReloadCall(host, unloaded).reload, right="admin"),
    }
    yield Service(_MODELS, methods, files_of(_MODELS))
