"""The first product of matrices, computed as this is imported: once for all that is forked then.

TensorFlow makes machine code for it. A model's process would spend a third of its load on that, and
keep it in memory of its own. It is done by TensorFlow's C interface, whose threads all end; one
that a graph starts would stay.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from tfaas_backends.runtimes.tensorflow.quiet import tf

_SIDE = 8
_BYTES = 4 * _SIDE**2

_CARDS = ("nvidia*", "nvhost*", "dxg", "kfd")


class _CannotMultiplyError(Exception):
    """TensorFlow refuses a step; whoever runs a model is slower then, and that is all."""


class _Library:
    """TensorFlow's C interface; what it makes is gone with ``until_done``."""

    def __init__(self, functions: Any, until_done: ExitStack) -> None:
        self._functions = functions
        self._until_done = until_done

    def made(self, function: str, delete: str, *given: object) -> ctypes.c_void_p:
        make = self._functions[function]
        make.restype = ctypes.c_void_p
        if (found := make(*given)) is None:
            raise _CannotMultiplyError
        pointer = ctypes.c_void_p(found)
        self._until_done.callback(self._functions[delete], pointer)
        return pointer

    def multiply(self) -> None:
        """A matrix of zeros by itself."""
        config = tf.compat.v1.ConfigProto(
            device_count={"GPU": 0},
            intra_op_parallelism_threads=1,
            inter_op_parallelism_threads=1,
            use_per_session_threads=True,
        ).SerializeToString()
        call, size = self._functions, ctypes.c_size_t
        status = self.made("TF_NewStatus", "TF_DeleteStatus")
        options = self.made("TFE_NewContextOptions", "TFE_DeleteContextOptions")
        call.TFE_ContextOptionsSetConfig(options, config, size(len(config)), status)
        context = self.made("TFE_NewContext", "TFE_DeleteContext", options, status)
        matrix = self._zeros(status)
        op = self.made("TFE_NewOp", "TFE_DeleteOp", context, b"MatMul", status)
        for _ in range(2):
            call.TFE_OpAddInput(op, matrix, status)
        product, count = ctypes.c_void_p(), ctypes.c_int(1)
        call.TFE_Execute(op, ctypes.byref(product), ctypes.byref(count), status)
        if product:
            call.TFE_DeleteTensorHandle(product)

    def _zeros(self, status: ctypes.c_void_p) -> ctypes.c_void_p:
        sides = (ctypes.c_int64 * 2)(_SIDE, _SIDE)
        dtype, rank = ctypes.c_int(tf.float32.as_datatype_enum), ctypes.c_int(len(sides))
        size = ctypes.c_size_t(_BYTES)
        tensor = self.made("TF_AllocateTensor", "TF_DeleteTensor", dtype, sides, rank, size)
        locate = self._functions.TF_TensorData
        locate.restype = ctypes.c_void_p
        ctypes.memset(locate(tensor), 0, _BYTES)
        return self.made("TFE_NewTensorHandle", "TFE_DeleteTensorHandle", tensor, status)


def _is_harmless() -> bool:
    """Whether no thread stays, and no graphics card is opened, which forks could not use then."""
    own_threads = os.environ.get("TF_OVERRIDE_GLOBAL_THREADPOOL") == "1"
    cards = (card for name in _CARDS for card in Path("/dev").glob(name))
    return own_threads and not any(cards)


def _multiply() -> None:
    # Another TensorFlow may have its functions elsewhere. Beside it, this library would be a second
    # one, so only what is loaded already is asked.
    with suppress(OSError, AttributeError, _CannotMultiplyError), ExitStack() as until_done:
        library = Path(tf.sysconfig.get_lib(), "libtensorflow_cc.so.2")
        _Library(ctypes.CDLL(str(library), os.RTLD_NOLOAD), until_done).multiply()


if _is_harmless():
    _multiply()
