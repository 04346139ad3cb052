"""What becomes of any request, for the tests that make them up."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from tests.plugins.codecs.versions import checked
from tfaas_core.codec import Codec
from tfaas_core.errors import TfaasError
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.tensors import Bound


def outcome_of(
    codec: Codec[Any], body: bytes, head: Head, version: ModelVersion
) -> Bound | TfaasError:
    """Arrays that fit the version, or an error that can be answered; anything else fails."""
    got = _bound_or_error(codec, body, head, version)
    if isinstance(got, TfaasError):
        assert got.status in (400, 413, 422)
        assert got.message.isprintable()
        msgspec.json.encode(got.document())
        return got
    for array in checked(got, version):
        assert array.flags.c_contiguous
        assert array.dtype != bool or array.view(np.uint8).max(initial=0) <= 1
        if array.dtype.kind in "fc":
            assert not np.isinf(array).any()
            assert version.params.get("nan") or not np.isnan(array).any()
    return got


def _bound_or_error(
    codec: Codec[Any], body: bytes, head: Head, version: ModelVersion
) -> Bound | TfaasError:
    try:
        return codec.bind(codec.parse(body, head), version)
    except TfaasError as error:
        return error
