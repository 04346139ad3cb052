"""From what a TensorFlow session computes to a model of LiteRT. Imports TensorFlow."""

from __future__ import annotations

from typing import Any

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
        _add_reads(session.opened)
        converter = lite.from_session(session.opened, list(feeds.inputs), list(feeds.outputs))
        return bytes(converter.convert())
    except Exception as error:  # the converter raises nearly anything
        raise CannotAccelerate(f"it cannot be converted: {one_line(error)}") from None


def _add_reads(session: Any) -> None:
    """TensorFlow's converter reads each variable by a node that predictions may do without.

    A variable without a value is none any longer: what read it is a constant.
    """
    with session.graph.as_default():
        variables = [each for each in session.graph.get_operations() if each.type == "VarHandleOp"]
        has_value = [tf.raw_ops.VarIsInitializedOp(resource=each.outputs[0]) for each in variables]
        names = {each.name for each in session.graph.get_operations()}
        for variable, is_one in zip(variables, session.run(has_value), strict=True):
            name = f"{variable.name}/Read/ReadVariableOp"
            if is_one and name not in names:
                dtype, resource = variable.get_attr("dtype"), variable.outputs[0]
                # With a slash behind it, the name is taken as it is.
                tf.raw_ops.ReadVariableOp(resource=resource, dtype=dtype, name=f"{name}/")
