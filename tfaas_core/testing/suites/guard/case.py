"""What suites of guards share: what is asked of one, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar

import msgspec
import pytest

from tfaas_core.config import Config, load_config
from tfaas_core.errors import TfaasError
from tfaas_core.fields import Headers
from tfaas_core.guard import Asking, Guard
from tfaas_core.route import ClientAddress, Head, Right
from tfaas_core.routing.guard_wait import answer_of
from tfaas_core.testing.suites.time_limited import TimeLimited


class Admitted(msgspec.Struct, frozen=True):
    """What a guard allows, to ``model``, and who it says asks."""

    asking: Asking
    identity: str
    model: str = "vk"


class Refused(msgspec.Struct, frozen=True):
    """What a guard refuses, with a status.

    If there is a ``model``, it is refused only when it is known that it is about that one.
    ``after``: what is asked just before, about the same model, such as uses up a limit.
    """

    asking: Asking
    status: int
    model: str = ""
    after: Sequence[Asking] = ()


def asking_with(
    headers: Mapping[str, str] | None = None,
    right: Right = "predict",
    route: str = "/predict/json",
    method: str = "POST",
    ip: str = "192.0.2.1",
) -> Asking:
    """What a client asks that sends these headers."""
    head = Head(method, route, headers=Headers(list((headers or {}).items())))
    return Asking(head, ClientAddress(ip, 40_000), right, route)


class AfterRenewal(msgspec.Struct, frozen=True):
    """What a guard allows and refuses once it has taken ``config``, which was read again."""

    config: Config
    admitted: Sequence[Admitted] = ()
    refused: Sequence[Refused] = ()


def config_with(**tables: msgspec.Struct) -> Config:
    """A configuration with these ``[plugins.NAME]``, for ``Guard.renew``."""
    return msgspec.structs.replace(load_config(environ={}), sections=tables)


class GuardCase(TimeLimited):
    """What tests of a guard need, whatever it is."""

    make_guard: ClassVar[Callable[[], Guard]]

    admitted: ClassVar[Sequence[Admitted]]
    """At least one that is allowed."""

    refused: ClassVar[Sequence[Refused]]
    """At least one that is not."""

    renewals: ClassVar[Sequence[AfterRenewal]] = ()
    """At least one, with what is allowed and what is not, if the guard overrides ``renew``."""

    wrong_configs: ClassVar[Sequence[Config]] = ()
    """Those that ``renew`` has to refuse."""

    @pytest.fixture
    def guard(self) -> Guard:
        return type(self).make_guard()


async def ask_admit(guard: Guard, asking: Asking) -> str:
    """What ``admit`` says, in whichever way it is written; a guard has to say it in time."""
    said = guard.admit(asking)
    identity: str = said if isinstance(said, str) else await answer_of(said)
    return identity


async def ask_admit_to(guard: Guard, asking: Asking, identity: str, model: str) -> None:
    """As ``admit``, of ``admit_to``."""
    said: Any = guard.admit_to(asking, identity, model)
    if said is not None:
        said = await answer_of(said)
    assert said is None, f"admit_to gives {said!r}; it raises if it refuses, and else gives None"


async def refusal_by(guard: Guard, sample: Refused) -> TfaasError | None:
    """How the guard refuses a sample; None if it does not."""
    for before in sample.after:
        with suppress(TfaasError):
            said = await ask_admit(guard, before)
            await ask_admit_to(guard, before, said, sample.model)
    try:
        identity = await ask_admit(guard, sample.asking)
        assert sample.model, f"{sample.asking} is admitted"
        await ask_admit_to(guard, sample.asking, identity, sample.model)
    except TfaasError as error:
        return error
    return None


async def outcome_of(guard: Guard, asking: Asking) -> str | int:
    """Who asks; the status if nobody is let in."""
    try:
        return await ask_admit(guard, asking)
    except TfaasError as error:
        return error.status
