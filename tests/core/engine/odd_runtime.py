"""A runtime whose servables say of themselves what they must not."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np

from tfaas_core.errors import CannotServe, TfaasError
from tfaas_core.models.params import Params
from tfaas_core.runtime import Independence, LoadOptions, Servable, Shapes
from tfaas_core.tensors import Array, TensorSpec
from tfaas_core.testing.runtime import SIGNATURE, TRIGGER, FakeRuntime, FakeServable

X = SIGNATURE.inputs[0]


class Odd(FakeServable):
    """The model ``sum``, but for what ``flaws`` say."""

    def __init__(self, **flaws: Any) -> None:
        super().__init__(lambda rows: None)
        vars(self).update(flaws)


class Shapeless(Odd):
    """Answers with what is not quite an array."""

    def independence(self, shapes: Shapes | None = None) -> Independence:
        return Independence(False, "it is odd")

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        odd: Any = OddShape()
        odd.shape = (np.int64(len(inputs[0])), np.int64(1))
        return [odd]


class OddShape:
    """Has a shape."""


class Unproven(Odd):
    """Says of its rows what it must not."""

    def independence(self, shapes: Shapes | None = None) -> Independence:
        wrong: Any = np.bool_(True)
        return Independence(wrong)


class LampError(TfaasError):
    """Of status 500."""

    def headers(self) -> dict[str, str]:
        return {"X-Lamp": "broken"}


def _without_light(rows: Array) -> None:
    if TRIGGER in rows[:, 0]:
        raise LampError("the lamp is broken")


def _signature(**fields: Any) -> Servable:
    return Odd(signature=msgspec.structs.replace(SIGNATURE, **fields))


def _input(**fields: Any) -> Servable:
    return _signature(inputs=(msgspec.structs.replace(X, **fields),))


def _of_unknown_shape() -> Servable:
    signature = msgspec.structs.replace(SIGNATURE, outputs=(TensorSpec("sum", "float32", None),))
    return Shapeless(signature=signature)


class SpeechlessError(Exception):
    """What went wrong, nobody can ask."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def _raising(error: Exception) -> Callable[[], object]:
    def make() -> object:
        raise error

    return make


FLAWS: dict[str, tuple[Callable[[], object], str]] = {
    "nothing": (lambda: None, "what load returns is None, it should be a Servable"),
    "a number for a bool": (lambda: Odd(stateful=1), "stateful is 1, it should be True or False"),
    "numpy's bool": (lambda: Odd(stateful=np.bool_(False)), "stateful is np.False_, it should"),
    "numpy's threads": (lambda: Odd(threads=np.int64(2)), "threads is np.int64(2), it should"),
    "a numbered executor": (lambda: Odd(executor=1), "executor is 1, it should be a str"),
    "no signature": (lambda: Odd(signature=None), "signature is None, it should be a Signature"),
    "a list of inputs": (lambda: _signature(inputs=[X]), "inputs of the signature is [TensorSpec"),
    "no specs": (lambda: _signature(outputs=("sum",)), "it should be a tuple of TensorSpecs"),
    "a twin": (lambda: _signature(inputs=(X, X)), "two inputs of the signature have the same name"),
    "a word for a batch axis": (lambda: _signature(batch="free"), "it should be a BatchAxis"),
    "a numbered signature": (lambda: _signature(name=1), "name of the signature is 1"),
    "unused numbers": (lambda: _signature(unused=(1,)), "unused of the signature is (1,)"),
    "left-out numbers": (lambda: _signature(left_out=[]), "left_out of the signature is []"),
    "a numbered input": (lambda: _input(name=5), "name of input 0 is 5, it should be a str"),
    "no dtype": (lambda: _input(dtype="float"), "dtype of input 'x' is 'float', it should be one"),
    "numpy's dtype": (lambda: _input(dtype=np.float32), "dtype of input 'x' is <class"),
    "numpy's int": (lambda: _input(shape=(None, np.int64(3))), "is (None, np.int64(3)), it should"),
    "a listed shape": (lambda: _input(shape=[None, 3]), "shape of input 'x' is [None, 3]"),
    "a size below zero": (lambda: _input(shape=(None, -1)), "shape of input 'x' is (None, -1)"),
    "a number for a constant": (lambda: _input(constant=0), "constant of input 'x' is 0"),
    "numpy's default": (
        lambda: _input(default=np.float32(1)),
        "default of input 'x' is np.",
    ),
    "a default of words": (lambda: _input(default="one"), "it should be a float32 value as JSON"),
    "two lines": (_raising(ValueError("two\nlines")), "ValueError: two lines ("),
    "no text": (_raising(SpeechlessError()), "SpeechlessError ("),
    "numpy's shapes": (_of_unknown_shape, "LoadDone cannot be sent: "),
}
"""What ``load`` returns or raises, and what is said of it."""


def _refused_for_want() -> None:
    try:
        raise OSError(errno.ENFILE, os.strerror(errno.ENFILE), "/secret")
    except OSError:
        raise CannotServe("its file is damaged") from None


WANTS: dict[str, tuple[Callable[[], object], str]] = {
    "descriptors": (
        _raising(OSError(errno.EMFILE, os.strerror(errno.EMFILE), "/secret")),
        "Too many open files",
    ),
    "files, unsaid": (_refused_for_want, "Too many open files in system"),
    "memory": (_raising(MemoryError()), "MemoryError"),
    "processes": (_raising(BlockingIOError(errno.EAGAIN, "none is left")), "none is left"),
}
"""What ``load`` raises because the system has not given it something, and what is said of it."""


class OddRuntime(FakeRuntime):
    """Loads what a FakeRuntime loads, ``odd FLAW``, ``want WHAT``, ``unproven``, ``lamp`` and
    ``lamp-on-load``."""

    def load(self, artifact: Path, params: Params, options: LoadOptions) -> Servable:
        match artifact.read_text().split(maxsplit=1):
            case ["odd", flaw]:
                make, _words = FLAWS[flaw]
                return cast(Servable, make())
            case ["want", what]:
                WANTS[what][0]()
            case ["unproven"]:
                return Unproven()
            case ["lamp"]:
                return FakeServable(_without_light)
            case ["lamp-on-load"]:
                raise LampError("the lamp is broken")
        return super().load(artifact, params, options)
