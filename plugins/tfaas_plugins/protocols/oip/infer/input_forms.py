"""InputForms: what each input of a version has to be, as the protocol says it."""

from __future__ import annotations

from collections.abc import Iterable

from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import Array, TensorSpec
from tfaas_plugins.protocols.oip.datatypes import datatype_of, has_datatype
from tfaas_plugins.protocols.oip.infer.usual_body import UsualInput
from tfaas_plugins.protocols.vectors import Vectors


class InputForm:
    """That of one input."""

    def __init__(self, spec: TensorSpec) -> None:
        self.spec = spec
        self._vectors = Vectors.of(spec) if has_datatype(spec) else None
        self._datatype = datatype_of(spec) if self._vectors is not None else ""

    def array(self, sent: UsualInput) -> Array | None:
        """What was sent, if it is of this form."""
        if self._vectors is None or sent.datatype != self._datatype:
            return None
        return self._vectors.of_shape(sent.shape, sent.data)


class InputForms:
    """Those of all inputs of a version, by name."""

    def __init__(self, version: ModelVersion) -> None:
        inputs = version.signature.inputs
        self.by_name = {spec.name: InputForm(spec) for spec in inputs}
        self.needed = {spec.name: spec for spec in inputs if spec.default is None}.keys()
        """Those that have no default, in the signature's order."""

    def arrays(self, sent: Iterable[UsualInput]) -> dict[str, Array] | None:
        """What was sent, if all of it is of these forms, and all that is needed is there."""
        arrays: dict[str, Array] = {}
        for each in sent:
            form, name = self.by_name.get(each.name), each.name
            array = None if form is None or name in arrays else form.array(each)
            if array is None:
                return None
            arrays[name] = array
        return arrays if self.needed <= arrays.keys() else None
