"""From what a TensorFlow session computes to a model of LiteRT. Imports TensorFlow."""

from __future__ import annotations

from tfaas_backends.runtimes.graph.servable import GraphServable
from tfaas_backends.runtimes.tensorflow.errors import one_line
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_backends.runtimes.tensorflow.session import GraphSession
from tfaas_core.runtime import CannotAccelerate, Servable


def converted(servable: Servable) -> bytes:
    """The servable's chosen signature, its variables being constants. Raises CannotAccelerate.

    Nothing is quantised, and no op is taken that LiteRT lacks.
    """
    session = servable.session if isinstance(servable, GraphServable) else None
    if not isinstance(session, GraphSession):
        raise CannotAccelerate("it runs as Python restores it, which cannot be converted")
    feeds = session.feeds[0]
    lite = tf.compat.v1.lite.TFLiteConverter
    try:
        converter = lite.from_session(session.opened, list(feeds.inputs), list(feeds.outputs))
        return bytes(converter.convert())
    except Exception as error:  # the converter raises nearly anything
        raise CannotAccelerate(f"it cannot be converted: {one_line(error)}") from None
