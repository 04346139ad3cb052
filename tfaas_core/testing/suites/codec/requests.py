"""The part of Codec's contract about requests: what is read of them, and what is refused."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest

from tfaas_core.codec import Codec
from tfaas_core.errors import BadBody, DoesNotFit, TfaasError
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.params import Params
from tfaas_core.tensors import (
    NUMPY_DTYPES,
    Array,
    BatchAxis,
    Bound,
    Signature,
    TensorSpec,
    conform,
)
from tfaas_core.testing.suites.codec.case import (
    PLAIN_MEDIA_TYPE,
    CodecCase,
    Sample,
    assert_clients_error_or_fits,
    assert_names_a_model,
    assert_same_bound,
    bound_by,
    types_of_answers,
    with_input,
)

_DAMAGED_PER_SAMPLE = 200
_CONTENT_TYPES = (
    "",
    ";",
    "/",
    "text/plain; charset=\x00",
    "a/b; c",
    "a/b; boundary=\udcff",
    "*" * 999,
)


class RequestsContract(CodecCase):
    """What a codec makes of the bytes of requests."""

    def test_the_name_can_be_the_last_part_of_a_path(self, codec: Codec[Any]) -> None:
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", codec.name)

    def test_media_types_are_lower_case_and_without_parameters(self, codec: Codec[Any]) -> None:
        assert isinstance(codec.media_types, tuple)
        assert codec.media_types
        assert [name for name in codec.media_types if not PLAIN_MEDIA_TYPE.fullmatch(name)] == []

    def test_the_types_of_answers_are_media_types(self, codec: Codec[Any]) -> None:
        """Set ``answer_types`` if the first of ``media_types`` is not the type of answers."""
        names = types_of_answers(codec)
        assert [name for name in names if not PLAIN_MEDIA_TYPE.fullmatch(name)] == []
        assert "*/*" not in names

    def test_the_samples_are_rows_and_batches(self) -> None:
        assert {sample.bound.single for sample in self.samples} == {True, False}
        assert any(sample.bound.rows == 0 for sample in self.samples) == self.spells_no_rows

    def test_a_batch_without_rows_runs_alone(self) -> None:
        for sample in self.samples:
            if sample.bound.rows == 0:
                assert sample.bound.whole
                assert not sample.bound.single

    def test_a_request_is_bound_to_the_arrays_that_it_spells(self, codec: Codec[Any]) -> None:
        for sample in self.samples:
            assert_same_bound(bound_by(codec, sample), sample.bound)

    def test_bound_arrays_conform_to_the_signature(self, codec: Codec[Any]) -> None:
        for sample in self.samples:
            bound = bound_by(codec, sample)
            for array in conform(sample.version.signature, bound):
                assert array.flags.c_contiguous
                assert sample.version.signature.batch is BatchAxis.NONE or len(array) == bound.rows

    def test_what_a_request_names_is_of_its_type(self, codec: Codec[Any]) -> None:
        for sample in self.samples:
            assert_names_a_model(codec.parse(sample.body, sample.head))

    def test_nan_is_taken_only_where_the_params_accept_it(self, codec: Codec[Any]) -> None:
        """Set ``spells_nan`` if the format has no NaN; else a sample needs one."""
        samples = [sample for sample in self.samples if _has_nan(sample.bound)]
        assert bool(samples) == self.spells_nan, "no sample has NaN"
        for sample in samples:
            assert Params.of(sample.version.params).accepts_nan
            params = {name: p for name, p in sample.version.params.items() if name != "nan"}
            version = msgspec.structs.replace(sample.version, params=params)
            document = codec.parse(sample.body, sample.head)
            with pytest.raises((BadBody, DoesNotFit)):
                codec.bind(document, version)

    def test_no_number_becomes_another_one(self, codec: Codec[Any]) -> None:
        """Numbers that a dtype cannot hold are refused: neither wrapped around nor cut."""
        for sample in self.samples:
            document = codec.parse(sample.body, sample.head)
            for version, exact in _of_other_dtypes(sample):
                try:
                    (got,) = codec.bind(document, version).arrays.values()
                except TfaasError:
                    continue
                assert _holds(got, exact), f"{exact} became {got!r}"

    def test_a_damaged_body_is_the_clients_error_or_fits(self, codec: Codec[Any]) -> None:
        for number, sample in enumerate(self.samples):
            for body in _damaged(sample.body, random.Random(number)):
                assert_clients_error_or_fits(codec, body, sample.content_type, sample.version)

    def test_a_body_for_another_model_is_the_clients_error_or_fits(self, codec: Codec[Any]) -> None:
        for sample in self.samples:
            others = [other.version for other in self.samples]
            for version in (*others, *_models_of_every_kind(sample.version)):
                assert_clients_error_or_fits(codec, sample.body, sample.content_type, version)

    def test_an_odd_content_type_is_the_clients_error_or_ignored(self, codec: Codec[Any]) -> None:
        for sample in self.samples:
            for content_type in _CONTENT_TYPES:
                assert_clients_error_or_fits(codec, sample.body, content_type, sample.version)


def _has_nan(bound: Bound) -> bool:
    return any(a.dtype.kind in "fc" and np.isnan(a).any() for a in bound.arrays.values())


def _of_other_dtypes(sample: Sample) -> Iterator[tuple[ModelVersion, Array]]:
    """The version, if its only input were of another dtype, with what is to be bound."""
    inputs = sample.version.signature.inputs
    if len(inputs) != 1 or sample.bound.whole:
        return
    exact = sample.bound.arrays[inputs[0].name]
    if exact.dtype.kind not in "fiu":
        return
    for name in ("float16", "float64", "int8", "uint8", "int32", "uint64"):
        version = with_input(sample.version, TensorSpec(inputs[0].name, name, inputs[0].shape))
        yield msgspec.structs.replace(version, params=sample.version.params), exact


def _holds(got: Array, exact: Array) -> bool:
    tolerance = 1e-2 if got.dtype == np.float16 else 1e-6
    real, expected = got.astype(np.float64), exact.astype(np.float64)
    return got.shape == exact.shape and np.allclose(
        real, expected, rtol=tolerance, atol=tolerance, equal_nan=True
    )


def _models_of_every_kind(version: ModelVersion) -> Iterator[ModelVersion]:
    x = TensorSpec("x", "float32", (None, 2))
    for dtype in NUMPY_DTYPES:
        yield with_input(version, TensorSpec("x", dtype, (None, 2)))
    for shape in (None, (None,), (None, None), (None, 0), (None, 2, 2), (None, None, None, 3)):
        yield with_input(version, TensorSpec("x", "float32", shape))
    yield with_input(version, x, TensorSpec("y", "string", (None,)))
    yield with_input(version, x, TensorSpec("y", "int32", (None, 1), default=[[1]]))
    yield with_input(version, TensorSpec("y", "float32", (None, 2), default=[[1.0, 2.0]]))
    yield msgspec.structs.replace(with_input(version, x), params={"features": ["a", "b"]})
    yield msgspec.structs.replace(with_input(version, x), labels=("higgs", "qcd"))
    outputs = version.signature.outputs
    for batch, shapes in (
        (BatchAxis.NONE, ((), (2,), (None,), (None, 2), None)),
        (BatchAxis.ONE, ((1,), (1, 2), (1, None))),
    ):
        for each in shapes:
            signature = Signature((TensorSpec("x", "float32", each),), outputs, batch)
            yield msgspec.structs.replace(version, signature=signature, params={})


def _damaged(body: bytes, chance: random.Random) -> Iterator[bytes]:
    yield from (b"", b"\x00", b"\xff" * 64, body * 2, body[::-1])
    for _ in range(_DAMAGED_PER_SAMPLE):
        at = chance.randrange(len(body) + 1)
        until = at + chance.randrange(4)
        yield body[:at]
        yield body[:at] + chance.randbytes(chance.randrange(4)) + body[until:]
        yield body[:at] + body[at:until] * 2 + body[until:]
        yield chance.randbytes(chance.randrange(64))
