"""The accelerator of TensorFlow's models: LiteRT, to which small networks cost far less."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from tfaas_core.runtime import Accelerator, CannotAccelerate, FastModel, Servable
from tfaas_core.tensors import Signature

_TENSORFLOW = ("tensorflow", "tensorflow-cpu", "tf-nightly")
_LITERT = "ai-edge-litert"

_CONVERSION = "conversion 2"
"""Another one if ``conversion`` changes: then what was refused, and kept, is tried again."""


class LiteAccelerator(Accelerator):
    """Converts what a session computes by TensorFlow's converter, and runs it by LiteRT."""

    name = "LiteRT"
    first = "TensorFlow"
    preload = ("tfaas_backends.runtimes.litert.model",)

    def versions(self) -> Sequence[str]:
        lite = _found((_LITERT,), "install tfaas[fast]")
        return (lite, _found(_TENSORFLOW, "install it"), _CONVERSION)

    def convert(self, servable: Servable) -> bytes:
        # Only here: it imports TensorFlow.
        from tfaas_backends.runtimes.litert.conversion import converted

        return converted(servable)

    def open(self, converted: bytes, signature: Signature, threads: int) -> FastModel:
        from tfaas_backends.runtimes.litert.model import LiteModel

        return LiteModel(converted, signature, threads or 1)


def _found(names: Sequence[str], remedy: str) -> str:
    """The first of these distributions that is installed, and its version."""
    for name in names:
        try:
            return f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
    raise CannotAccelerate(f"{names[0]} is not installed; {remedy}")
