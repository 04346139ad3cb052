"""Texts: each element by itself."""

from __future__ import annotations

from collections.abc import Sequence

from tfaas_backends.runtimes.independence.interpreter import Rule
from tfaas_backends.runtimes.independence.node import Node
from tfaas_backends.runtimes.independence.rules.arguments import constants, rows_of
from tfaas_backends.runtimes.independence.rules.elementwise import elementwise
from tfaas_backends.runtimes.independence.values import Tensor, Value

_NAMES = """
    AsString DecodeBase64 EncodeBase64 StaticRegexFullMatch StaticRegexReplace StringLength
    StringLower StringStrip StringToHashBucket StringToHashBucketFast StringToHashBucketStrong
    StringToNumber StringUpper UnicodeScript UnicodeTranscode
"""
SINGLE = frozenset(_NAMES.split())
"""Of one text each."""


def by_pattern(node: Node, inputs: Sequence[Value]) -> Tensor:
    """RegexReplace, RegexFullMatch: the pattern is the same for all."""
    constants(inputs[1:], "takes its pattern from the rows")
    return rows_of(inputs[0])


RULES: dict[str, Rule] = {
    **dict.fromkeys(SINGLE, elementwise),
    "StringJoin": elementwise,
    "Substr": elementwise,
    **dict.fromkeys(("RegexReplace", "RegexFullMatch"), by_pattern),
}
