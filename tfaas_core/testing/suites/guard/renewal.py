"""What every Guard does when the configuration is read again."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import iscoroutinefunction
from itertools import pairwise
from typing import Any

import pytest

from tfaas_core.config import Config
from tfaas_core.errors import ConfigError, TfaasError
from tfaas_core.guard import Guard
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.suites.guard.case import (
    Admitted,
    AfterRenewal,
    GuardCase,
    Refused,
    ask_admit,
    ask_admit_to,
    refusal_by,
)


class RenewalContract(GuardCase):
    """Part of GuardContract. A guard that leaves ``renew`` alone has nothing to show here."""

    def test_a_guard_that_renews_has_renewals(self, guard: Guard) -> None:
        renews = type(guard).renew is not Guard.renew
        assert any(renewal.admitted for renewal in self.renewals) is renews
        assert any(renewal.refused for renewal in self.renewals) is renews

    @in_event_loop
    async def test_what_was_read_again_holds_at_once(self) -> None:
        """Whoever was taken away is refused from then on, and whoever was added is let in."""
        for renewal in self.renewals:
            for sample in _samples(renewal):
                guard = type(self).make_guard()
                await self._use(guard)
                _renew(guard, renewal.config)
                await _holds(guard, sample)

    @in_event_loop
    async def test_each_renewal_takes_the_place_of_the_one_before(self) -> None:
        for before, after in pairwise(self.renewals):
            for sample in _samples(after):
                guard = type(self).make_guard()
                _renew(guard, before.config)
                _renew(guard, after.config)
                await _holds(guard, sample)

    @in_event_loop
    async def test_a_wrong_configuration_is_a_config_error_and_changes_nothing(self) -> None:
        samples: list[Admitted | Refused] = [*self.admitted, *self.refused]
        for config, sample in ((c, sample) for c in self.wrong_configs for sample in samples):
            guard = type(self).make_guard()
            with pytest.raises(ConfigError):
                guard.renew(config)
            await _holds(guard, sample)

    @in_event_loop
    async def test_what_holds_by_now_answers_the_second_question(self) -> None:
        """Whoever was let in just before is refused there, or goes on, but nothing fails."""
        for renewal in self.renewals:
            for sample in self.admitted:
                guard = type(self).make_guard()
                identity = await ask_admit(guard, sample.asking)
                _renew(guard, renewal.config)
                try:
                    await ask_admit_to(guard, sample.asking, identity, sample.model)
                    status = 0
                except TfaasError as error:
                    status = error.status
                lost = [each for each in renewal.refused if each.asking == sample.asking]
                gone = [each.status for each in lost if each.model == sample.model]
                assert status in (gone or [0, 401, 403, 429])

    async def _use(self, guard: Guard) -> None:
        """So that it may have learnt what does not hold any more."""
        for sample in self.admitted:
            identity = await ask_admit(guard, sample.asking)
            await ask_admit_to(guard, sample.asking, identity, sample.model)


def _samples(renewal: AfterRenewal) -> Iterator[Admitted | Refused]:
    yield from renewal.admitted
    yield from renewal.refused


def _renew(guard: Guard, config: Config) -> None:
    renew: Any = guard.renew
    assert not iscoroutinefunction(renew), "renew is a plain function: nobody awaits it"
    assert renew(config) is None


async def _holds(guard: Guard, sample: Admitted | Refused) -> None:
    if isinstance(sample, Refused):
        error = await refusal_by(guard, sample)
        assert error is not None, f"{sample.asking} is admitted"
        assert error.status == sample.status
        return
    identity = await ask_admit(guard, sample.asking)
    assert identity == sample.identity
    await ask_admit_to(guard, sample.asking, identity, sample.model)
