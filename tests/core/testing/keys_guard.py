"""A right guard for the suite to pass, and for wrong ones to derive from: it knows keys."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from tfaas_core.config import Config
from tfaas_core.errors import ConfigError, Forbidden, TooManyRequests, Unauthorized
from tfaas_core.guard import Asking, Guard
from tfaas_core.testing.guard import (
    Admitted,
    AfterRenewal,
    GuardContract,
    Refused,
    asking_with,
    config_with,
)


class Table(msgspec.Struct, frozen=True):
    key: str
    name: str


class RightGuard(Guard):
    """Knows one key, and one who may ask twice, and a model that nobody may."""

    left = 2
    key = "secret-key"
    name = "alice"

    async def admit(self, asking: Asking) -> str:
        key = asking.head.headers.get("x-key", "")
        if not key:
            raise Unauthorized("this server asks for a key; send it as X-Key")
        if key == "twice":
            self.left -= 1
            if self.left < 0:
                raise TooManyRequests("this key has asked too often")
            return "twice"
        if key != self.key:
            raise Forbidden("the key is not known here")
        return self.name

    async def admit_to(self, asking: Asking, identity: str, model: str) -> None:
        if identity not in (self.name, "twice"):
            raise Unauthorized("the key is not known any more")
        if model == "hidden" and identity != "twice":
            raise Forbidden(f"model {model!r} is not for {identity}")

    def renew(self, config: Config) -> None:
        table = config.settings("keys")
        if not table.key:
            raise ConfigError("the key is empty - at `$.plugins.keys.key`")
        self.key, self.name = table.key, table.name


class GuardSamples(GuardContract):
    make_guard = RightGuard
    admitted: ClassVar[list[Admitted]] = [
        Admitted(asking_with({"x-key": "secret-key"}), "alice"),
        Admitted(asking_with({"x-key": "secret-key"}, "read", "/models", "GET"), "alice"),
        Admitted(asking_with({"x-key": "twice"}), "twice", model="hidden"),
    ]
    refused: ClassVar[list[Refused]] = [
        Refused(asking_with(), 401),
        Refused(asking_with({"x-key": "secret-keys"}), 403),
        Refused(asking_with({"x-key": "secret-key"}), 403, model="hidden"),
        Refused(asking_with({"x-key": "twice"}), 429, after=[asking_with({"x-key": "twice"})] * 2),
    ]
    renewals: ClassVar[list[AfterRenewal]] = [
        AfterRenewal(
            config_with(keys=Table(key, name)),
            admitted=[Admitted(asking_with({"x-key": key}), name)],
            refused=[
                Refused(asking_with({"x-key": "secret-key"}), 403),
                Refused(asking_with({"x-key": key}), 403, model="hidden"),
            ],
        )
        for key, name in (("other-key", "bob"), ("third-key", "carol"))
    ]
    wrong_configs: ClassVar[list[Config]] = [config_with(keys=Table("", "nobody"))]
