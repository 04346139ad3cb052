"""What a codec raises or answers that it must not is an error that names its plugin."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tfaas_core.codec import Codec, Document, Encoded
from tfaas_core.errors import BadBody, TfaasError
from tfaas_core.predict.guarded_codec import GuardedCodec
from tfaas_core.tensors import Bound
from tfaas_core.testing.models import model_version

BOUND = Bound({}, 0, False)
STEPS: dict[str, Callable[[Codec[Any]], object]] = {
    "parse": lambda codec: codec.parse(b"", None),  # type: ignore[arg-type]
    "bind": lambda codec: codec.bind(Document(), model_version(name="vk")),
    "encode": lambda codec: codec.encode({}, BOUND, Document(), model_version(name="vk")),
}
RIGHT = {"parse": Document(), "bind": BOUND, "encode": Encoded(b"", "text/plain")}


class OddCodec(Codec[Any]):
    """Does in each step what it is told to."""

    name = "odd"
    media_types = ("text/odd",)

    def __init__(self, step: Callable[[], Any]) -> None:
        self._step = step

    def parse(self, *_given: Any) -> Any:
        return self._step()

    def bind(self, *_given: Any) -> Any:
        return self._step()

    def encode(self, *_given: Any) -> Any:
        return self._step()


def guarded(step: Callable[[], Any]) -> GuardedCodec:
    return GuardedCodec(OddCodec(step), "tfaas_odd")


def raises(error: BaseException) -> Callable[[], Any]:
    def step() -> Any:
        raise error

    return step


BAD = {
    "raises": raises(KeyError("x")),
    "ends an iteration": raises(StopIteration()),
    "exits": raises(SystemExit(3)),
    "interrupts": raises(KeyboardInterrupt()),
    "ends a generator": raises(GeneratorExit()),
    "cancels": raises(asyncio.CancelledError()),
    "answers": lambda: None,
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bug_names_plugin_and_model(
    step: str, bad: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(TfaasError, match=f"plugin tfaas_odd failed in {step} of") as caught:
        STEPS[step](guarded(bad))
    error = caught.value
    assert (error.status, error.code) == (500, "internal")
    assert error.details["plugin"] == "tfaas_odd"
    assert error.details.get("model") == (None if step == "parse" else "vk")
    (record,) = caplog.records
    assert record.exc_info is not None
    assert "plugin tfaas_odd" in record.getMessage()


@pytest.mark.parametrize("step", STEPS)
def test_errors_meant_for_clients_and_answers_pass(step: str) -> None:
    error = BadBody("no")
    with pytest.raises(BadBody) as caught:
        STEPS[step](guarded(raises(error)))
    assert caught.value is error
    assert STEPS[step](guarded(lambda: RIGHT[step])) is RIGHT[step]


def test_it_is_called_what_the_codec_is_called() -> None:
    codec = guarded(lambda: None)
    assert (codec.name, codec.media_types) == ("odd", ("text/odd",))
