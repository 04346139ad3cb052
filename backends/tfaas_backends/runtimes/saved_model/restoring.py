"""Restoring: gives the variables of a session the values that a checkpoint holds."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfaas_backends.runtimes.saved_model.variables import Stored
from tfaas_backends.runtimes.tensorflow.private import callable_of, config_pb2
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_core.tensors import NUMPY_DTYPES, Array

_RESOURCE = "VarHandleOp"
_LITTLE_BYTES = 1 << 10


class Restoring:
    """Adds to ``graph`` what gives its variables their values in the checkpoint ``prefix``.

    ``stored`` tells which, and where these are. If ``unchanged``, no run changes them: all sessions
    that are open at a time have them in the same memory, and only the first one reads them. Where
    an init op changes one, TensorFlow gives that session a copy.
    """

    def __init__(
        self, graph: Any, prefix: str, stored: Mapping[str, Stored], unchanged: bool
    ) -> None:
        entries = list(stored.values())
        with graph.as_default():
            values = tf.raw_ops.RestoreV2(
                prefix=prefix,
                tensor_names=[entry.key for entry in entries],
                shape_and_slices=[entry.slice for entry in entries],
                dtypes=[tf.as_dtype(entry.dtype) for entry in entries],
            )
            variables = [graph.get_tensor_by_name(f"{node}:0") for node in stored]
            assigned = list(map(_assign, variables, values))
        self._targets = [operation.name for operation in assigned]
        self._values = [value.name for value in values]
        self._shared = unchanged and all(map(_takes_memory, variables, values))
        self._held: list[Callable[[], Array | None]] = []

    def run(self, session: Any) -> None:
        """Gives the variables of a new session their values. Raises what TensorFlow raises."""
        if not self._shared:
            _call(session, target=self._targets)
            return
        values: list[Any] = [held() for held in self._held]
        if not values or any(value is None for value in values):
            # A single number comes as such, and not as an array.
            values = list(map(np.asarray, _call(session, fetch=self._values)))
            self._held = list(map(_held, values))
        # TensorFlow copies neither what it has fetched, nor what it is fed as it has allocated it.
        _call(session, *values, feed=self._values, target=self._targets)


def _held(value: Array) -> Callable[[], Array | None]:
    """Gives it for as long as TensorFlow has it in use; what is little, TensorFlow may copy."""
    return weakref.ref(value) if value.nbytes > _LITTLE_BYTES else lambda: value


def _call(session: Any, *fed: Any, **options: Any) -> Any:
    return callable_of(session, config_pb2.CallableOptions(**options))(*fed)


def _assign(variable: Any, value: Any) -> Any:
    if variable.op.type == _RESOURCE:
        return tf.raw_ops.AssignVariableOp(resource=variable, value=value)
    return tf.raw_ops.Assign(ref=variable, value=value).op


def _takes_memory(variable: Any, value: Any) -> bool:
    """Whether the variable becomes what it is assigned, rather than a copy of that."""
    is_number = value.dtype != tf.string and value.dtype.name in NUMPY_DTYPES
    return is_number and variable.op.type == _RESOURCE
