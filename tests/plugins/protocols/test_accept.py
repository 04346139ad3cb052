"""Accept-Encoding of the Open Inference Protocol."""

from __future__ import annotations

import pytest
from tfaas_plugins.protocols.oip.infer.accept import best_encoding


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("", ""),
        ("gzip, deflate, br", "gzip"),
        ("br", ""),
        ("gzip;q=0.2, deflate;q=0.5", "deflate"),
        ("gzip;q=0.5, identity;q=0.9", ""),
        ("gzip;q=0", ""),
        ("gzip;q=x", ""),
        ("*", ""),
    ],
)
def test_the_encoding_of_an_answer_is_the_one_that_is_preferred(
    accepted: str, encoding: str
) -> None:
    assert best_encoding(accepted) == encoding
