"""Guards that renew wrongly, each with the test of the suite that must fail."""

from __future__ import annotations

from tests.core.testing.keys_guard import GuardSamples, RightGuard
from tests.core.testing.outcomes import add_tests
from tfaas_core.config import Config
from tfaas_core.errors import Forbidden
from tfaas_core.guard import Asking


class TakesNothing(RightGuard):
    def renew(self, config: Config) -> None:
        pass


class RenewsLater(RightGuard):
    async def renew(self, config: Config) -> None:  # type: ignore[override]
        super().renew(config)


class KeepsThoseItKnew(RightGuard):
    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    async def admit(self, asking: Asking) -> str:
        key = asking.head.headers.get("x-key", "")
        if key != "twice" and key in self._known:
            return self._known[key]
        self._known[key] = await super().admit(asking)
        return self._known[key]

    async def admit_to(self, asking: Asking, identity: str, model: str) -> None:
        if model == "hidden":
            raise Forbidden(f"model {model!r} is not for {identity}")


class RenewsOnce(RightGuard):
    def renew(self, config: Config) -> None:
        if self.key == RightGuard.key:
            super().renew(config)


class ForgetsFirst(RightGuard):
    def renew(self, config: Config) -> None:
        self.key = ""
        super().renew(config)


class TakesAnything(RightGuard):
    def renew(self, config: Config) -> None:
        table = config.settings("keys")
        self.key, self.name = table.key, table.name


class FailsOfAWrongOne(RightGuard):
    def renew(self, config: Config) -> None:
        if not config.settings("keys").key:
            raise KeyError("key")
        super().renew(config)


class FailsForWhoIsGone(RightGuard):
    async def admit_to(self, asking: Asking, identity: str, model: str) -> None:
        _ = {self.name: 1, "twice": 2}[identity]
        await super().admit_to(asking, identity, model)


WRONG: dict[type, str] = {
    TakesNothing: "test_what_was_read_again_holds_at_once",
    RenewsLater: "test_what_was_read_again_holds_at_once",
    KeepsThoseItKnew: "test_what_was_read_again_holds_at_once",
    RenewsOnce: "test_each_renewal_takes_the_place_of_the_one_before",
    ForgetsFirst: "test_a_wrong_configuration_is_a_config_error_and_changes_nothing",
    TakesAnything: "test_a_wrong_configuration_is_a_config_error_and_changes_nothing",
    FailsOfAWrongOne: "test_a_wrong_configuration_is_a_config_error_and_changes_nothing",
    FailsForWhoIsGone: "test_what_holds_by_now_answers_the_second_question",
}

add_tests(globals(), GuardSamples, "make_guard", WRONG)
