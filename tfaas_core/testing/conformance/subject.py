"""Subject: the server that is examined, what it lacks, and what comes of each case."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from ssl import SSLContext, create_default_context
from typing import Any, Literal

import msgspec

from tfaas_core.testing.conformance.case import Case, Probe
from tfaas_core.testing.conformance.exchange import Ask, Reply, Unmet, get, model_path
from tfaas_core.testing.conformance.oip.asks import V2
from tfaas_core.testing.conformance.sending import NoReply, Place, send
from tfaas_core.testing.conformance.tfserving.asks import V1

Result = Literal["passed", "failed", "skipped"]

_SILENT = 3
"""After so many requests in a row without an answer, no further cases are tried."""

_LACKING = (400, 404, 501)
"""Statuses of a model that a server does not serve; a 401, say, is a failure of each case."""

_NOT_ASKED = "the server answered none of the requests before, and was not asked again"


class Breach(msgspec.Struct, frozen=True):
    """What was asked, what was expected of the answer, and what it is instead."""

    request: str
    expected: str
    got: str


class CaseOutcome(msgspec.Struct, frozen=True):
    """What came of a case: ``fault`` if it failed, and ``reason`` if it was not tried at all."""

    id: str
    mark: str
    sentence: str
    result: Result
    fault: Breach | None = None
    reason: str = ""

    @property
    def group(self) -> str:
        """That of the case."""
        return self.id.rpartition(".")[0]

    def __str__(self) -> str:
        """Some lines, for people."""
        told = f"{self.result} {self.id} ({self.mark}): {self.sentence}"
        if self.fault is None:
            return f"{told} {self.reason}".rstrip()
        fault = self.fault
        asked = f"\n  request   {fault.request}\n  expected  {fault.expected}"
        return f"{told}{asked}\n  got       {fault.got}"


class _Skip(Exception):
    """The server does not offer what a case is about; the text says so."""


class Examined(ABC):
    """A server that cases are tried on; a subclass sends the requests."""

    def __init__(self) -> None:
        self._silent = 0
        self._lacks: dict[str, str] = {}
        self._extensions: list[Any] | None = None

    def outcome(self, case: Case) -> CaseOutcome:
        """Tries a case; whatever the server answers, nothing is raised."""
        told = (case.id, case.mark, case.sentence)
        if self._silent >= _SILENT:
            return CaseOutcome(*told, "failed", reason=_NOT_ASKED)
        try:
            self._check_offers(case)
            fault = self._fault(case)
        except _Skip as skip:
            return CaseOutcome(*told, "skipped", reason=str(skip))
        if fault is not None and case.afterwards is not None:
            with suppress(Unmet):
                self._ask(case.afterwards)
        return CaseOutcome(*told, "passed" if fault is None else "failed", fault)

    @abstractmethod
    def _send(self, ask: Ask) -> Reply:
        """The answer; raises NoReply, or Unmet."""

    @abstractmethod
    def _about_server(self) -> Ask:
        """What is answered with the extensions of the Open Inference Protocol."""

    @abstractmethod
    def _about_model(self, ask: Ask) -> Ask:
        """What is answered with an error if what ``ask`` is about is not served."""

    def _fault(self, case: Case) -> Breach | None:
        replies: list[Reply] = []
        for probe in case.probes:
            try:
                replies.append(self._ask(probe.ask))
            except Unmet as unmet:
                return Breach(probe.ask.line, probe.expected[0].words, str(unmet))
            if fault := _judged(probe, replies):
                return fault
        return None

    def _ask(self, ask: Ask) -> Reply:
        try:
            reply = self._send(ask)
        except NoReply:
            self._silent += 1
            raise
        self._silent = 0
        return reply

    def _check_offers(self, case: Case) -> None:
        """Raises _Skip."""
        if case.extension and case.extension not in self._announced():
            raise _Skip(f"the server does not announce the extension {case.extension}")
        for probe in case.probes:
            if probe.ask.model and (why := self._why_lacking(probe.ask)):
                raise _Skip(why)

    def _announced(self) -> list[Any]:
        if self._extensions is None:
            try:
                document = self._ask(self._about_server()).document
            except Unmet:
                document = None
            found = document.get("extensions") if isinstance(document, dict) else None
            self._extensions = found if isinstance(found, list) else []
        return self._extensions

    def _why_lacking(self, ask: Ask) -> str:
        """Why the server cannot be asked that; "" if it can, or answers rubbish."""
        what = _what(ask)
        if what not in self._lacks:
            self._lacks[what] = self._found_lacking(what, self._about_model(ask))
        return self._lacks[what]

    def _found_lacking(self, what: str, asking: Ask) -> str:
        try:
            reply = self._ask(asking)
        except Unmet:
            return ""
        is_lacking = reply.status in _LACKING
        return f"the server does not serve {what}: {reply.outcome}" if is_lacking else ""


class Subject(Examined):
    """A server at ``url``, base path included; a ValueError says what is wrong with that.

    ``headers`` go with each request, an answer has to be there within ``timeout_s``, and ``tls`` is
    what https is spoken with; None: what this machine trusts does.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 30.0,
        tls: SSLContext | None = None,
    ) -> None:
        super().__init__()
        is_secure = url.startswith("https:")
        secure = (tls or create_default_context()) if is_secure else None
        self._place = Place(url.rstrip("/"), headers or {}, timeout_s, secure)

    def _send(self, ask: Ask) -> Reply:
        return send(ask, self._place)

    def _about_server(self) -> Ask:
        return get(V2)

    def _about_model(self, ask: Ask) -> Ask:
        version, label = ask.version or None, ask.label or None
        is_oip = ask.path.startswith(V2)
        path = model_path(V2 if is_oip else V1, ask.model, version, label)
        return get(f"{path}/ready" if is_oip else path)


def _what(ask: Ask) -> str:
    """The model that is asked, and its version or label."""
    named = f", version {ask.version}" if ask.version else ""
    return f"model {ask.model}{named or (f', label {ask.label}' if ask.label else '')}"


def _judged(probe: Probe, replies: list[Reply]) -> Breach | None:
    """Raises _Skip."""
    if replies[-1].status in probe.skips:
        raise _Skip(f"the server does not offer it: {replies[-1].short}")
    for expected in probe.expected:
        try:
            expected.holds(replies)
        except Unmet as unmet:
            return Breach(probe.ask.line, expected.words, str(unmet))
    return None
