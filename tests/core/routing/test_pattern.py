from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfaas_core.errors import HttpRefused
from tfaas_core.routing.pattern import Pattern, decoded

MATCHES = [
    ("/", "/", {}),
    ("/", "//", {}),
    ("/json", "/json", {}),
    ("/json/", "/json", {}),
    ("/json", "/json///", {}),
    ("/models/{name}", "/models/vk", {"name": "vk"}),
    ("/models/{name}", "/models/vk/", {"name": "vk"}),
    ("/models/{name}", "/models/a%2Fb", {"name": "a/b"}),
    ("/models/{name}", "/models/a%252Fb", {"name": "a%2Fb"}),
    ("/models/{name}", "/models/a+b%20c", {"name": "a+b c"}),
    ("/models/{name}", "/models/%E2%82%AC", {"name": "€"}),
    ("/models/{name}", "/models/%", {"name": "%"}),
    ("/v1/{name}:predict", "/v1/vk:predict", {"name": "vk"}),
    ("/v1/{name}:predict", "/v1/a:predict:predict", {"name": "a:predict"}),
    ("/v1/{name}:predict", "/v1/a%3Ab:predict", {"name": "a:b"}),
    ("/{a}-{b}.csv", "/x-y-z.csv", {"a": "x", "b": "y-z"}),
    ("/{a}-{b}", "/--x", {"a": "-", "b": "x"}),
    ("/{a}.{b}.{c}", "/1.2.3.4", {"a": "1", "b": "2", "c": "3.4"}),
    ("/a.b", "/a.b", {}),
    ("/files/{path...}", "/files/a//b/", {"path": "a//b/"}),
    ("/files/{path...}", "/files/a%2Fb", {"path": "a/b"}),
    ("/{name}/files/{path...}", "/x/files/y", {"name": "x", "path": "y"}),
]

NO_MATCHES = [
    ("/json", "//json"),
    ("/json", "/JSON"),
    ("/json", "/%6ason"),
    ("/json", "/json/x"),
    ("/a.b", "/axb"),
    ("/models/{name}", "/models"),
    ("/models/{name}", "/models/"),
    ("/models/{name}", "/models//vk"),
    ("/models/{name}", "/models/a/b"),
    ("/v1/{name}:predict", "/v1/:predict"),
    ("/v1/{name}:predict", "/v1/x%3Apredict"),
    ("/{a}-{b}", "/x-"),
    ("/{a}-{b}", "/-x"),
    ("/files/{path...}", "/files"),
    ("/files/{path...}", "/files/"),
]


def fields_of(pattern: Pattern, path: str) -> dict[str, str] | None:
    match = re.fullmatch(pattern.regex, path)
    return None if match is None else dict(pattern.fields(match.groups()))


@pytest.mark.parametrize(("pattern", "path", "fields"), MATCHES)
def test_a_path_is_matched_and_its_fields_are_decoded(
    pattern: str, path: str, fields: dict[str, str]
) -> None:
    assert fields_of(Pattern.of(pattern), path) == fields


@pytest.mark.parametrize(("pattern", "path"), NO_MATCHES)
def test_any_other_path_is_not(pattern: str, path: str) -> None:
    assert fields_of(Pattern.of(pattern), path) is None


def test_a_field_that_is_no_utf_8_is_the_clients_error() -> None:
    with pytest.raises(HttpRefused, match="the part a%FF of the path is not UTF-8") as caught:
        decoded("a%FF")
    assert caught.value.status == 400


WRONG = {
    "a path that starts with /": ["", "a", "a/b", None, 7, b"/a"],
    "has // in it": ["//a", "/a//b"],
    "clients do not send": ["/.", "/a/../b"],
    "is not made of": [
        *("/{", "/}", "/{}", "/{a", "/a}", "/{{a}}", "/{1}", "/{a-b}", "/{ü}", "/{...}", "/{a b}"),
        *("/é", "/a b", "/a?b", "/a#b", "/a%41", "/a\\b", "/a\r\n", '/"', "/<a>", "/a\0"),
    ],
    "has two fields without text between them": ["/{a}{b}", "/x{a}{b}-{c}"],
    "has the field {a} twice": ["/{a}/{a}", "/{a}-{a}", "/{a}/{a...}"],
    "is not last": ["/{a...}/b", "/{a...}/{b...}"],
    "has more than the field": ["/x{a...}", "/{a...}x", "/{a}-{b...}"],
}


@pytest.mark.parametrize(("complaint", "paths"), WRONG.items())
def test_what_is_no_pattern_is_refused(complaint: str, paths: list[str]) -> None:
    for path in paths:
        with pytest.raises(ValueError, match=re.escape(complaint)):
            Pattern.of(path)


TIES = [
    ("/{a}-x", "/y-{b}", True),
    ("/{a}-x", "/{b}-y", False),
    ("/a{x}", "/{x}b", True),
    ("/a{x}", "/b{x}", False),
    ("/ab{x}", "/{x}ab", True),
    ("/{a}-x/{b}", "/y-{b}/c", False),
    ("/{a}-x/{b}", "/y-{b}/{c}", True),
    ("/{a}-{b}", "/{a}.{b}", True),
    ("/{a}", "/{b}", False),
    ("/{a}", "/{a...}", False),
    ("/x-{a}/{p...}", "/{a}-x/{p...}", True),
    ("/x-{a}/b/{p...}", "/{a}-x/c/{p...}", False),
    ("/{a}:x", "/{a}-xyz", False),
]


@pytest.mark.parametrize(("one", "other", "tie"), TIES)
def test_two_patterns_tie_where_no_one_is_before_the_other(one: str, other: str, tie: bool) -> None:
    first, second = Pattern.of(one), Pattern.of(other)
    assert first.ties_with(second) is second.ties_with(first) is tie


parts = st.lists(
    st.sampled_from(["a", "b", "ab", "{x}", "{x}a", "a{x}", "{x}b{y}", "b{x}", "a{x}a", "{x}ab"]),
    min_size=1,
    max_size=2,
)
paths = st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=2)


@given(parts, parts, paths)
def test_patterns_that_match_the_same_path_are_ordered_or_tie(
    one: list[str], other: list[str], path: list[str]
) -> None:
    first, second = (Pattern.of(_numbered(written)) for written in (one, other))
    asked = "/" + "/".join(path)
    both = fields_of(first, asked) is not None and fields_of(second, asked) is not None
    if both and first.shape != second.shape and first.order == second.order:
        assert first.ties_with(second)


def _numbered(written: list[str]) -> str:
    """Fields of different parts have different names."""
    return "".join(
        f"/{part.replace('x', f'x{number}').replace('y', f'y{number}')}"
        for number, part in enumerate(written)
    )


def test_no_path_takes_longer_than_its_length() -> None:
    regex = re.compile(Pattern.of("/{a}-{b}-{c}-{d}-{e}.csv").regex)
    start_s = time.process_time()
    for path in ("/" + "-" * 16_000, "/" + "a-" * 8_000 + ".csx", "/" + "-a" * 8_000 + "/" * 99):
        assert regex.fullmatch(path) is None
    assert time.process_time() - start_s < 1
