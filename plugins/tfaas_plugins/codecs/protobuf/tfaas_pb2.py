"""The messages of ``tfaas.proto``, in a pool of our own; their types are in ``tfaas_pb2.pyi``."""

from tfaas_plugins.protocols.private_pool import message_class

Row, DataFrame, Class, Predictions, Detector, Hits = (
    message_class(f"tfaaspb.{name}")
    for name in ("Row", "DataFrame", "Class", "Predictions", "Detector", "Hits")
)
