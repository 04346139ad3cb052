"""The contract of Codec as tests: each implementation subclasses ``CodecContract``."""

from __future__ import annotations

from tfaas_core.testing.suites.codec.answers import AnswersContract
from tfaas_core.testing.suites.codec.calls import CallsContract
from tfaas_core.testing.suites.codec.case import Sample
from tfaas_core.testing.suites.codec.requests import RequestsContract

__all__ = ["CodecContract", "Sample"]


class CodecContract(RequestsContract, AnswersContract, CallsContract):
    """What every Codec does. Subclass it as ``Test...``, and set its class variables.

    ``make_codec`` and ``samples``; ``spells_no_rows`` and ``spells_nan`` if a format cannot do
    that.
    """
