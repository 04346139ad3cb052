"""A plugin for a format that nobody else reads, and a model of it, which doubles."""

from __future__ import annotations

TOY = '''
"""Models that are a JSON object with a scale."""

import json

import numpy as np

from tfaas_core.errors import BadBody
from tfaas_core.hookspecs import hookimpl
from tfaas_core.runtime import Independence, Runtime, Servable, Verdict
from tfaas_core.tensors import BatchAxis, Signature, TensorSpec


class ToyServable(Servable):
    signature = Signature(
        (TensorSpec("x", "float32", (None, 3)),),
        (TensorSpec("y", "float32", (None, 3)),),
        BatchAxis.FREE,
    )
    stateful = False

    def __init__(self, scale):
        self._scale = np.float32(scale)

    def independence(self, shapes=None):
        return Independence(True)

    def run(self, inputs):
        return [inputs[0] * self._scale]

    def close(self):
        pass


class ToyRuntime(Runtime):
    suffixes = (".toy",)

    def claim(self, artifact, file_name):
        if not artifact.is_file() or not artifact.read_bytes().startswith(b"{"):
            return Verdict.NO
        return Verdict.SURE if file_name.endswith(".toy") else Verdict.MAYBE

    def load(self, artifact, params, options):
        try:
            return ToyServable(json.loads(artifact.read_bytes())["scale"])
        except ValueError as error:
            raise BadBody(f"the model file is no toy: {error}") from None


@hookimpl
def tfaas_register_runtimes():
    return {"toy": ToyRuntime()}
'''

MODEL = b'{"scale": 2}'
