"""What a servable says of itself, checked once, right after its load, before anybody goes by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tfaas_core.runtime import Independence, Servable
from tfaas_core.tensors import NUMPY_DTYPES, BatchAxis, Signature, TensorSpec, default_of

_MOST_SHOWN = 200


def check_servable(servable: object) -> None:
    """Raises TypeError or ValueError, which say what is wrong, and what it should be."""
    if not isinstance(servable, Servable):
        raise _wrong("what load returns", servable, "a Servable")
    _check_one(servable)
    for name, other in _others(servable).items():
        if not isinstance(other, Servable):
            raise _wrong(f"the signature {name!r} of others", other, "a Servable")
        _check_one(other)
        if other.signature.name != name:
            raise _wrong(f"the name of the signature {name!r}", other.signature.name, repr(name))


def _others(servable: Servable) -> Mapping[str, object]:
    others, declared = servable.others, servable.declared
    if not isinstance(others, Mapping):
        raise _wrong("others", others, "a mapping of Servables by name")
    if not isinstance(declared, Mapping):
        raise _wrong("declared", declared, "a mapping of what JSON can hold")
    if servable.signature.name in others:
        raise ValueError(f"others has the signature {servable.signature.name!r} of the servable")
    return others


def _check_one(servable: Servable) -> None:
    if type(servable.threads) is not int:
        raise _wrong("threads", servable.threads, "an int")
    _check_text("executor", servable.executor)
    check_flag("stateful", servable.stateful)
    check_flag("takes_any_shape", servable.takes_any_shape)
    signature = servable.signature
    if not isinstance(signature, Signature):
        raise _wrong("signature", signature, "a Signature")
    _check_signature(signature)


def check_independence(independence: object) -> None:
    """Raises TypeError, as ``check_servable`` does, for what ``Servable.independence`` returns."""
    if not isinstance(independence, Independence):
        raise _wrong("what independence returns", independence, "an Independence")
    check_flag("proven of its independence", independence.proven)
    check_flag("by_shape of its independence", independence.by_shape)
    _check_text("reason of its independence", independence.reason)


def check_flag(what: str, value: object) -> None:
    """Raises TypeError for anything but a bool; NumPy's are none."""
    if type(value) is not bool:
        raise _wrong(what, value, "True or False")


def _check_signature(signature: Signature) -> None:
    if not isinstance(signature.batch, BatchAxis):
        raise _wrong("batch of the signature", signature.batch, "a BatchAxis")
    _check_text("name of the signature", signature.name)
    for field in ("unused", "left_out"):
        texts = getattr(signature, field)
        if not _is_tuple(texts, str):
            raise _wrong(f"{field} of the signature", texts, "a tuple of str")
    _check_specs("input", signature.inputs)
    _check_specs("output", signature.outputs)


def _check_specs(kind: str, specs: Sequence[TensorSpec]) -> None:
    if type(specs) is not tuple or not all(isinstance(spec, TensorSpec) for spec in specs):
        raise _wrong(f"{kind}s of the signature", specs, "a tuple of TensorSpecs")
    for number, spec in enumerate(specs):
        _check_text(f"name of {kind} {number}", spec.name)
        _check_spec(f"of {kind} {spec.name!r}", spec)
    names = [spec.name for spec in specs]
    if len(set(names)) < len(names):
        raise ValueError(f"two {kind}s of the signature have the same name: {names!r}")


def _check_spec(of_tensor: str, spec: TensorSpec) -> None:
    if type(spec.dtype) is not str or spec.dtype not in NUMPY_DTYPES:
        raise _wrong(f"dtype {of_tensor}", spec.dtype, f"one of {', '.join(NUMPY_DTYPES)}")
    if not _is_shape(spec.shape):
        told = "None, or a tuple of int, 0 or more, and of None"
        raise _wrong(f"shape {of_tensor}", spec.shape, told)
    check_flag(f"constant {of_tensor}", spec.constant)
    _check_text(f"carried {of_tensor}", spec.carried)
    if spec.default is not None:
        _check_default(f"default {of_tensor}", spec)


def _check_default(what: str, spec: TensorSpec) -> None:
    try:
        msgspec.json.encode(spec.default)
        default_of(spec)
    except Exception as error:
        told = f"a {spec.dtype} value as JSON spells it"
        raise _wrong(what, spec.default, told) from error


def _check_text(what: str, value: object) -> None:
    if type(value) is not str:
        raise _wrong(what, value, "a str")


def _is_shape(shape: object) -> bool:
    if shape is None:
        return True
    sizes: Any = shape
    return type(shape) is tuple and all(
        size is None or (type(size) is int and size >= 0) for size in sizes
    )


def _is_tuple(values: object, of: type) -> bool:
    return type(values) is tuple and all(type(value) is of for value in values)


def _wrong(what: str, value: object, should_be: str) -> TypeError:
    return TypeError(f"{what} is {value!r:.{_MOST_SHOWN}}, it should be {should_be}")
