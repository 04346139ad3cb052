"""The conformance kit: cases of two protocols, to be tried on any server that speaks them.

``cases("oip")`` and ``cases("tfserving")`` are data; ``Subject(url).outcome(case)`` tries one. The
command ``tfaas conformance`` tries all.
"""

from __future__ import annotations

from tfaas_core.testing.conformance.case import Case
from tfaas_core.testing.conformance.cases import cases
from tfaas_core.testing.conformance.models import MODELS, write_models
from tfaas_core.testing.conformance.subject import CaseOutcome, Subject

__all__ = ["MODELS", "Case", "CaseOutcome", "Subject", "cases", "write_models"]
