"""``tfaas copy`` of models with requests that warm them up."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Tfaas
from tests.cli.served.conftest import TO, Capture, Stored, lines
from tests.cli.served.models import logged, predict_log, regress_log


def test_requests_that_warm_up_become_examples(
    tfaas: Tfaas, capfd: Capture, half: Path, stored: Stored
) -> None:
    logged(
        half / "124",
        [
            predict_log({"x": [[1.0, 2.0]]}),
            predict_log({"x": [[5.0, 6.0]]}, "triple"),
            regress_log([7.0, 8.0]),
        ],
    )
    assert tfaas("copy", "--from", half, *TO) == "half: 2 versions copied\n"
    assert stored("half").version(123).warmup is None
    carried = stored("half").live.warmup
    assert carried is not None
    *predicted, regressed = carried["examples"]
    assert predicted == [
        {"inputs": {"x": [[1.0, 2.0]]}},
        {"inputs": {"x": [[5.0, 6.0]]}, "signature_name": "triple"},
    ]
    assert regressed["signature_name"] == "regress"
    assert len(regressed["inputs"]["inputs"]) == 2
    assert tfaas("copy", "--from", half, *TO) == "half: 2 versions there already\n"


def test_requests_that_cannot_run_are_left_out(capfd: Capture, half: Path, stored: Stored) -> None:
    logged(
        half / "124",
        [
            predict_log({"x": [["text"]]}),
            predict_log({"x": [[1.0, 2.0]]}),
            predict_log({"y": [[1.0, 2.0]]}),
            b"rubbish",
            predict_log({"x": [[1.0, 2.0]]}, "nobody"),
        ],
    )
    out, told = lines(capfd, "--from", half, status=0)
    assert out == ["half: 2 versions copied"]
    (line,) = told
    assert line.startswith(
        "tfaas: half: version 124: warm-up requests left out: number 4: it is no PredictionLog; "
        "number 1: "
    )
    assert line.endswith("; and 1 more")
    assert stored("half").live.warmup == {"examples": [{"inputs": {"x": [[1.0, 2.0]]}}]}
