"""The ledger notices what is wrong, and excuses what may be."""

from __future__ import annotations

import time
from collections.abc import Mapping
from hashlib import sha256

import pytest

from tests.chaos.clients import artifact_of
from tests.chaos.ledger import ModelLedger


@pytest.fixture
def ledger() -> ModelLedger:
    """Of a model with the versions 1 to 3, of the factors 11 to 13."""
    ledger = ModelLedger("vk")
    for number in (1, 2, 3):
        upload(ledger, 10 + number, number)
    return ledger


def upload(ledger: ModelLedger, factor: int, number: int) -> None:
    ledger.uploading(factor, artifact_of(factor))
    assert ledger.stored(factor, number) == ""


def listed(live: int, **factors: int) -> list[Mapping[str, object]]:
    return [
        {
            "version": int(number.removeprefix("v")),
            "checksum": f"sha256:{sha256(artifact_of(factor)).hexdigest()}",
            "live": factor == live,
        }
        for number, factor in factors.items()
    ]


def test_an_answer_of_the_live_version_is_right(ledger: ModelLedger) -> None:
    assert ledger.answered(13, 3, time.monotonic()) == ""


def test_so_is_one_of_a_version_that_was_live_when_the_request_began(ledger: ModelLedger) -> None:
    begin_s = time.monotonic()
    upload(ledger, 14, 4)
    assert ledger.answered(13, 3, begin_s) == ""
    assert "live is [14]" in ledger.answered(13, 3, time.monotonic())


def test_an_answer_of_no_upload_or_of_another_number_is_wrong(ledger: ModelLedger) -> None:
    now_s = time.monotonic()
    assert "which no upload did" in ledger.answered(99, 3, now_s)
    assert "version 3 answers as version 2" in ledger.answered(13, 2, now_s)


def test_an_upload_of_unknown_outcome_may_answer_or_not(ledger: ModelLedger) -> None:
    ledger.uploading(14, artifact_of(14))
    now_s = time.monotonic()
    assert ledger.answered(13, 3, now_s) == ledger.answered(14, 4, now_s) == ""
    upload(ledger, 15, 5)
    assert ledger.listed(listed(15, v3=13, v4=14, v5=15)) == ""
    assert set(ledger.surely()) == {13, 14, 15}


def test_a_model_that_was_acknowledged_is_not_missed_but_lost(ledger: ModelLedger) -> None:
    now_s = time.monotonic()
    assert "acknowledged, and a 404" in ledger.missed(now_s)
    ledger.begin(lambda state: type(state)())
    ledger.deleted()
    assert ledger.missed(now_s) == ""
    assert "was deleted" in ledger.listed(listed(13, v3=13))


def test_a_list_without_an_acknowledged_version_or_with_another_live_one_is_wrong(
    ledger: ModelLedger,
) -> None:
    assert ledger.listed(listed(13, v1=11, v2=12, v3=13)) == ""
    assert "not one of" in ledger.listed(listed(13, v1=11, v3=13))
    assert "not one of" in ledger.listed(listed(12, v1=11, v2=12, v3=13))


def test_while_workers_cannot_learn_of_it_the_former_version_answers_on(
    ledger: ModelLedger,
) -> None:
    ledger.hold()
    upload(ledger, 14, 4)
    assert ledger.answered(13, 3, time.monotonic()) == ""
    ledger.let_go()
    assert ledger.answered(13, 3, time.monotonic()) != ""


def test_a_number_is_never_given_again(ledger: ModelLedger) -> None:
    ledger.uploading(14, artifact_of(14))
    assert "version 3 came after version 3" in ledger.stored(14, 3)
