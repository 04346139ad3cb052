"""Guards that are wrong, each with the test of the suite that must fail."""

from __future__ import annotations

import asyncio
import time

from tests.core.testing.keys_guard import GuardSamples, RightGuard
from tests.core.testing.outcomes import add_tests
from tfaas_core.errors import DoesNotFit, Forbidden, TfaasError, TooManyRequests, Unauthorized
from tfaas_core.guard import Asking, UnknownCredential


class TestRight(GuardSamples):
    """The right one."""


class LetsAllIn(RightGuard):
    async def admit(self, asking: Asking) -> str:
        return "alice"


class LetsInWhereItFails(RightGuard):
    async def admit(self, asking: Asking) -> str:
        try:
            return await super().admit(asking)
        except TfaasError:
            return ""


class KnowsNoModels(RightGuard):
    async def admit_to(self, asking: Asking, identity: str, model: str) -> None:
        return


class RefusesAll(RightGuard):
    async def admit(self, asking: Asking) -> str:
        raise Unauthorized("nobody is known here")


class RefusesModels(RightGuard):
    async def admit_to(self, asking: Asking, identity: str, model: str) -> None:
        raise Forbidden("no model is for you")


class NamesNobody(RightGuard):
    async def admit(self, asking: Asking) -> str:
        await super().admit(asking)
        return ""


class NamesInTwoLines(RightGuard):
    async def admit(self, asking: Asking) -> str:
        return await super().admit(asking) + "\n" + str(asking.client.ip)


class NamesADict(RightGuard):
    async def admit(self, asking: Asking) -> str:
        return {"name": await super().admit(asking)}  # type: ignore[return-value]


class SaysYesByTrue(RightGuard):
    async def admit_to(  # type: ignore[override]
        self, asking: Asking, identity: str, model: str
    ) -> bool:
        await super().admit_to(asking, identity, model)
        return True


class LeavesNothingToOthers(RightGuard):
    authenticates = True


class RefusesNobodyByName(RightGuard):
    authenticates = True

    async def admit(self, asking: Asking) -> str:
        if "x-key" not in asking.head.headers:
            raise UnknownCredential("this server asks for a key; send it as X-Key")
        return await super().admit(asking)


class RefusesAsDoesNotFit(RightGuard):
    async def admit(self, asking: Asking) -> str:
        try:
            return await super().admit(asking)
        except Forbidden as error:
            raise DoesNotFit(error.message) from None


class NoChallenge(Unauthorized):
    code = "no_challenge"
    challenge = ""


class AsksForNothing(RightGuard):
    async def admit(self, asking: Asking) -> str:
        if "x-key" not in asking.head.headers:
            raise NoChallenge("who are you")
        return await super().admit(asking)


class InTwoLines(RightGuard):
    async def admit(self, asking: Asking) -> str:
        if "x-key" not in asking.head.headers:
            raise Unauthorized("this server asks for a key\r\nX-Injected: yes")
        return await super().admit(asking)


class Later(TooManyRequests):
    code = "later"

    def headers(self) -> dict[str, str]:
        return {"Retry-After": "0"}


class SaysNotWhen(RightGuard):
    async def admit(self, asking: Asking) -> str:
        try:
            return await super().admit(asking)
        except TooManyRequests as error:
            raise Later(error.message) from None


class RepeatsTheKey(RightGuard):
    async def admit(self, asking: Asking) -> str:
        key = asking.head.headers.get("x-key", "")
        if key == "secret-keys":
            raise Forbidden(f"the key {key!r} is not known here")
        return await super().admit(asking)


class NeedsAnAsciiKey(RightGuard):
    async def admit(self, asking: Asking) -> str:
        asking.head.headers.get("x-key", "").encode("ascii")
        return await super().admit(asking)


class NeedsAHeader(RightGuard):
    async def admit(self, asking: Asking) -> str:
        if "cookie" in asking.head.headers:
            _name, _value = asking.head.headers["cookie"].split("=", 1)
        return await super().admit(asking)


class KnowsOneAtATime(RightGuard):
    """Whoever has asked last is whom it lets in."""

    async def admit(self, asking: Asking) -> str:
        self._key = asking
        await asyncio.sleep(0)
        return await super().admit(self._key)


class Blocks(RightGuard):
    async def admit(self, asking: Asking) -> str:
        time.sleep(0.001)
        return await super().admit(asking)


class ReadsItsKeysEachTime(RightGuard):
    async def admit(self, asking: Asking) -> str:
        await asyncio.sleep(0)
        with open(__file__, "rb") as file:
            file.read()
        return await super().admit(asking)


class BlocksOnceItKnowsTheModel(RightGuard):
    async def admit_to(self, asking: Asking, identity: str, model: str) -> None:
        time.sleep(0.001)
        await super().admit_to(asking, identity, model)


class RemembersWhoAskedLast(RightGuard):
    last = ""

    async def admit(self, asking: Asking) -> str:
        self.last = await super().admit(asking)
        return self.last

    async def admit_to(self, asking: Asking, identity: str, model: str) -> None:
        await super().admit_to(asking, self.last or identity, model)


class TakesTheBeginning(RightGuard):
    async def admit(self, asking: Asking) -> str:
        key = asking.head.headers.get("x-key", "")
        return self.name if key and self.key.startswith(key) else await super().admit(asking)


class LooksModelsUp(RightGuard):
    async def admit_to(self, asking: Asking, identity: str, model: str) -> None:
        model.encode()
        await super().admit_to(asking, identity, model)


class NeverAnswers(RightGuard):
    async def admit(self, asking: Asking) -> str:
        await asyncio.Event().wait()
        return await super().admit(asking)


WRONG: dict[type, str] = {
    NeverAnswers: "test_who_is_allowed_gets_an_identity",
    LetsAllIn: "test_who_is_not_allowed_is_refused_with_the_status",
    LetsInWhereItFails: "test_who_is_not_allowed_is_refused_with_the_status",
    KnowsNoModels: "test_who_is_not_allowed_is_refused_with_the_status",
    RefusesAsDoesNotFit: "test_who_is_not_allowed_is_refused_with_the_status",
    LeavesNothingToOthers: "test_one_that_authenticates_leaves_strangers_to_others",
    RefusesNobodyByName: "test_one_that_authenticates_says_whom_it_refuses",
    RefusesAll: "test_who_is_allowed_gets_an_identity",
    RefusesModels: "test_who_is_allowed_gets_an_identity",
    NamesNobody: "test_who_is_allowed_gets_an_identity",
    NamesInTwoLines: "test_who_is_allowed_gets_an_identity",
    SaysYesByTrue: "test_who_is_allowed_gets_an_identity",
    NamesADict: "test_who_is_allowed_gets_an_identity",
    AsksForNothing: "test_a_refusal_can_be_sent_and_says_what_to_do",
    InTwoLines: "test_a_refusal_can_be_sent_and_says_what_to_do",
    SaysNotWhen: "test_a_refusal_can_be_sent_and_says_what_to_do",
    RepeatsTheKey: "test_a_refusal_repeats_nothing_that_was_sent",
    NeedsAnAsciiKey: "test_odd_headers_are_refused_or_ignored",
    NeedsAHeader: "test_odd_headers_are_refused_or_ignored",
    KnowsOneAtATime: "test_whoever_asks_at_once_gets_an_answer_of_their_own",
    LooksModelsUp: "test_any_text_may_name_a_model",
    RemembersWhoAskedLast: "test_the_second_question_is_about_whom_it_names",
    TakesTheBeginning: "test_who_almost_shows_the_right_thing_is_not_taken_for_another",
    BlocksOnceItKnowsTheModel: "test_the_event_loop_is_not_blocked",
    Blocks: "test_the_event_loop_is_not_blocked",
    ReadsItsKeysEachTime: "test_the_event_loop_is_not_blocked",
}

add_tests(globals(), GuardSamples, "make_guard", WRONG)
