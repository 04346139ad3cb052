"""The contract of Guard as tests: each implementation subclasses ``GuardContract``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Coroutine, Generator, Iterator, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import msgspec
import pytest

from tfaas_core.errors import Forbidden, TfaasError
from tfaas_core.fields import Headers
from tfaas_core.guard import Asking, Guard, UnknownCredential
from tfaas_core.route import Head, Response
from tfaas_core.routing.sendable import sendable
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.suites.guard.case import (
    Admitted,
    AfterRenewal,
    Refused,
    ask_admit,
    ask_admit_to,
    asking_with,
    config_with,
    outcome_of,
    refusal_by,
)
from tfaas_core.testing.suites.guard.renewal import RenewalContract
from tfaas_core.testing.waits import waits_of

__all__ = ["Admitted", "AfterRenewal", "GuardContract", "Refused", "asking_with", "config_with"]

_STATUSES = {400, 401, 403, 404, 429, 503}
_AT_ONCE = 50
_TRIES = 5
_ODD_VALUES = ("", " ", ",", "Bearer", "Bearer ", "\x00", "caf\u00e9", "\udcff", "a=b; c" * 999)

T = TypeVar("T")


class GuardContract(RenewalContract):
    """What every Guard does. Subclass it as ``Test...``, and set its class variables."""

    def test_the_samples_are_allowed_and_refused(self) -> None:
        assert self.admitted
        assert self.refused

    @in_event_loop
    async def test_who_is_allowed_gets_an_identity(self) -> None:
        """One line for logs, the same each time."""
        for sample in self.admitted:
            guard = type(self).make_guard()
            for _ in range(2):
                identity = await ask_admit(guard, sample.asking)
                assert type(identity) is str
                assert identity == sample.identity
                assert identity.isprintable()
                await ask_admit_to(guard, sample.asking, identity, sample.model)

    @in_event_loop
    async def test_who_is_not_allowed_is_refused_with_the_status(self) -> None:
        for sample in self.refused:
            error = await refusal_by(type(self).make_guard(), sample)
            assert error is not None, f"{sample.asking} is admitted"
            assert error.status == sample.status
            assert error.status in _STATUSES

    @in_event_loop
    async def test_a_refusal_can_be_sent_and_says_what_to_do(self) -> None:
        """401 asks for something that proves who asks, and 429 says when to ask again."""
        for sample in self.refused:
            error = await refusal_by(type(self).make_guard(), sample)
            assert error is not None
            assert error.message
            assert error.message.isprintable()
            headers = error.headers()
            sendable(Response(json.dumps(error.document()).encode(), error.status, headers=headers))
            if error.status == 401:
                assert headers.get("WWW-Authenticate")
            if error.status == 429:
                assert int(headers.get("Retry-After", "0")) > 0

    @in_event_loop
    async def test_a_refusal_repeats_nothing_that_was_sent(self) -> None:
        """It may be a secret with a letter too many."""
        for sample in self.refused:
            error = await refusal_by(type(self).make_guard(), sample)
            assert error is not None
            told = json.dumps([error.document(), error.headers()])
            for _, value in sample.asking.head.headers.pairs:
                words = [word for word in value.split() if len(word) > 6]
                assert not [word for word in words if word in told]

    @in_event_loop
    async def test_one_that_authenticates_leaves_strangers_to_others(self, guard: Guard) -> None:
        """And it names everybody else."""
        if guard.authenticates:
            assert all(sample.identity for sample in self.admitted)
            with pytest.raises(UnknownCredential):
                await ask_admit(guard, asking_with())

    @in_event_loop
    async def test_one_that_authenticates_says_whom_it_refuses(self) -> None:
        """A line of the log that tells of a missing right tells who lacks it."""
        for sample in self.refused:
            guard = type(self).make_guard()
            error = await refusal_by(guard, sample)
            if guard.authenticates and isinstance(error, Forbidden):
                assert error.identity, f"{error.message}: it has no identity"

    @in_event_loop
    async def test_odd_headers_are_refused_or_ignored(self, guard: Guard) -> None:
        """Nothing but a TfaasError comes of them: anything else is a 500 that names the plugin."""
        identities: set[str | int] = {"", *(sample.identity for sample in self.admitted)}
        for asking in _odd([*self.admitted, *self.refused]):
            found = await outcome_of(guard, asking)
            assert found in identities | _STATUSES, f"{found} for {asking.head.headers}"

    @in_event_loop
    async def test_whoever_asks_at_once_gets_an_answer_of_their_own(self) -> None:
        """A guard is asked by all requests of a worker, many at a time."""
        guard = type(self).make_guard()
        lasting = [refused for refused in self.refused if not refused.after and not refused.model]
        samples: list[Admitted | Refused] = [*self.admitted[:1], *lasting]
        found = await asyncio.gather(
            *(outcome_of(guard, sample.asking) for _ in range(_AT_ONCE) for sample in samples)
        )
        expected = [s.identity if isinstance(s, Admitted) else s.status for s in samples]
        shown = [found[n :: len(samples)] for n in range(len(samples))]
        for outcomes, outcome in zip(shown, expected, strict=True):
            # A limit may be reached meanwhile, but nobody is taken for somebody else.
            assert set(outcomes) <= {outcome, 429}
            assert outcomes[0] == outcome

    @in_event_loop
    async def test_who_almost_shows_the_right_thing_is_not_taken_for_another(self) -> None:
        """A letter too few or too many makes another credential of what nobody gets in without."""
        for sample in self.admitted:
            for name, value in sample.asking.head.headers.pairs:
                others = [pair for pair in sample.asking.head.headers.pairs if pair[0] != name]
                if await self._outcome(sample.asking, others) == 401:
                    for near in (value.strip().rstrip("=")[:-1], f"{value.strip()}x"):
                        found = await self._outcome(sample.asking, [*others, (name, near)])
                        assert found != sample.identity, f"{name}: {near} is taken for {value}"

    async def _outcome(self, asking: Asking, pairs: Sequence[tuple[str, str]]) -> str | int:
        """Of these headers."""
        return await outcome_of(type(self).make_guard(), _with_headers(asking, pairs))

    @in_event_loop
    async def test_the_second_question_is_about_whom_it_names(self) -> None:
        """Others may have asked since the first one."""
        guard = type(self).make_guard()
        hidden = [(refused, refused.model) for refused in self.refused if not refused.after]
        shown = [(admitted, admitted.model) for admitted in self.admitted]
        samples: list[tuple[Admitted | Refused, str]] = [*shown, *hidden]
        found = [await outcome_of(guard, sample.asking) for sample, _ in samples]
        for (sample, model), identity in zip(samples, found, strict=True):
            if isinstance(identity, str):
                status = await _second_outcome(guard, sample.asking, identity, model)
                assert status == (sample.status if isinstance(sample, Refused) else 0)

    @in_event_loop
    async def test_any_text_may_name_a_model(self, guard: Guard) -> None:
        """It is what a client has sent: whether there is such a model is not known yet."""
        for sample in self.admitted:
            for model in _ODD_VALUES:
                status = await _second_outcome(guard, sample.asking, sample.identity, model)
                assert status in {0, *_STATUSES}, f"{status} for {model!r}"

    @in_event_loop
    async def test_the_event_loop_is_not_blocked(self, guard: Guard) -> None:
        """What takes time is awaited: until it is, all other requests of the worker wait."""
        samples: list[Admitted | Refused] = [*self.admitted, *self.refused]
        for sample in samples:
            waits = [await _waits(_admit(guard, sample.asking)) for _ in range(_TRIES)]
            assert min(waits, key=len) == [], f"admit waits: {waits[-1]}"
        for each in self.admitted:
            waits = [await _waits(_admit_to(guard, each)) for _ in range(_TRIES)]
            assert min(waits, key=len) == [], f"admit_to waits: {waits[-1]}"


def _odd(samples: Sequence[Admitted | Refused]) -> Iterator[Asking]:
    """What the samples ask, with other values of the headers, without each, and with it twice."""
    names = {name for sample in samples for name, _ in sample.asking.head.headers.pairs}
    for sample in samples:
        pairs = list(sample.asking.head.headers.pairs)
        for name in names | {"authorization", "cookie", "x-forwarded-for"}:
            others = [pair for pair in pairs if pair[0] != name]
            yield _with_headers(sample.asking, others)
            yield _with_headers(sample.asking, [*others, (name, "x"), (name, "y")])
            for value in _ODD_VALUES:
                yield _with_headers(sample.asking, [*others, (name, value)])


def _with_headers(asking: Asking, pairs: Sequence[tuple[str, str]]) -> Asking:
    head = Head(asking.head.method, asking.head.raw_path, headers=Headers(list(pairs)))
    return msgspec.structs.replace(asking, head=head)


async def _second_outcome(guard: Guard, asking: Asking, identity: str, model: str) -> int:
    """The status of a refusal; 0 if there is none."""
    try:
        await ask_admit_to(guard, asking, identity, model)
    except TfaasError as error:
        return error.status
    return 0


async def _waits(question: Coroutine[Any, Any, None]) -> list[str]:
    """What a guard waits for without awaiting it."""
    waits: list[str] = []
    await _Stepped(question, waits)
    return waits


async def _admit(guard: Guard, asking: Asking) -> None:
    with suppress(TfaasError):
        said = guard.admit(asking)
        if not isinstance(said, str):
            await said


async def _admit_to(guard: Guard, sample: Admitted) -> None:
    with suppress(TfaasError):
        said = guard.admit_to(sample.asking, sample.identity, sample.model)
        if said is not None:
            await said


class _Stepped(Awaitable[None]):
    """Awaits a coroutine, and adds to ``waits`` what each of its steps waits for."""

    def __init__(self, coroutine: Any, waits: list[str]) -> None:
        self._coroutine = coroutine
        self._waits = waits

    def __await__(self) -> Generator[Any, None, None]:
        steps = self._coroutine.__await__()
        while True:
            yielded: list[Any] = []

            def step(yielded: list[Any] = yielded) -> None:
                yielded.extend(_next(steps))

            self._waits += waits_of(step)
            if not yielded:
                return
            yield yielded[0]


def _next(steps: Iterator[T]) -> list[T]:
    try:
        return [next(steps)]
    except StopIteration:
        return []
