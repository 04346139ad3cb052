"""The services of TensorFlow Serving, as gRPC serves them."""

from __future__ import annotations

from collections.abc import Iterator

from tfaas_core.host import Host
from tfaas_core.service import Method, Service
from tfaas_plugins.protocols.private_pool import files_of
from tfaas_plugins.protocols.tfserving.model_calls import ModelCalls
from tfaas_plugins.protocols.tfserving.prediction_calls import PredictionCalls

_PREDICTIONS = "tensorflow.serving.PredictionService"
_MODELS = "tensorflow.serving.ModelService"


def services(host: Host) -> Iterator[Service]:
    """Who may predict may see what a model takes."""
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
    status = {"GetModelStatus": Method(models.get_model_status)}
    yield Service(_MODELS, status, files_of(_MODELS))
