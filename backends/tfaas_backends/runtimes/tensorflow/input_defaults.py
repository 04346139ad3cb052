"""Values that inputs have if a request does not send them, as JSON spells them."""

from __future__ import annotations

import base64
import math
from typing import Any

import msgspec
import numpy as np

from tfaas_backends.runtimes.tensorflow.quiet import tf

_MAX_BYTES = 16 << 10
"""Of a default as JSON. Each record, and each answer that shows the model, has it in it."""


class NotShown(Exception):
    """A default that JSON cannot spell, or only at length. Its text is the reason, a clause."""


def spelled(tensor: Any) -> Any:
    """The value of a TensorProto: nested lists, strings as text or ``{"b64": "..."}``.

    Complex numbers are pairs. Raises NotShown, and ValueError or TypeError if it is damaged.
    """
    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    count = math.prod(sizes)
    if count > _MAX_BYTES:
        raise NotShown(f"its default has {count} values")
    if count < 1:
        raise NotShown("its default is empty")
    array = tf.make_ndarray(tensor)
    if tensor.dtype == tf.bfloat16.as_datatype_enum:
        array = array.astype(np.float32)
    if array.dtype.kind in "fc" and not np.isfinite(array).all():
        raise NotShown("its default has values that JSON lacks: NaN or infinite ones")
    value = _nested(array)
    if len(msgspec.json.encode(value)) > _MAX_BYTES:
        raise NotShown(f"its default has {count} values")
    return value


def constant_default(tensor: Any) -> Any:
    """What a placeholder with a constant default is if nobody feeds it; None for all else.

    ``tensor`` is TensorFlow's. None, too, if the value cannot be shown.
    """
    op = tensor.op
    if op.type != "PlaceholderWithDefault":
        return None
    while op.type in ("PlaceholderWithDefault", "Identity"):
        op = op.inputs[0].op
    if op.type != "Const":
        return None
    try:
        return spelled(op.get_attr("value"))
    except NotShown:
        return None


def _nested(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return _scalar(value)
    return [_nested(part) for part in value] if value.ndim else _scalar(value[()])


def _scalar(value: Any) -> Any:
    if isinstance(value, bytes):
        return _text(value)
    if isinstance(value, np.complexfloating):
        return [_shortest(value.real), _shortest(value.imag)]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, np.integer):
        return int(value)
    return _shortest(value)


def _shortest(value: Any) -> float:
    """The float with the fewest digits that is ``value`` when it is rounded to its dtype."""
    return float(str(value))


def _text(value: bytes) -> str | dict[str, str]:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(value).decode()}
