from __future__ import annotations

import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tfaas_core.errors import BadBody, UnsupportedMediaType
from tfaas_core.uploads.multipart import Event, PartEnd, PartHead, Splitter, boundary_of, events_of


def split(*pieces: bytes) -> list[Event]:
    """The events of a whole body; a part's bytes are put together."""
    splitter = Splitter("xyz")
    events: list[Event] = []
    for event in (event for piece in pieces for event in splitter.split(piece)):
        if isinstance(event, bytes) and events and isinstance(events[-1], bytes):
            events[-1] += event
        else:
            events.append(event)
    assert splitter.is_complete
    return events


def whole(body: bytes) -> list[Event]:
    """The events of a body that came whole; a part's bytes are put together."""
    events: list[Event] = []
    for event in events_of(body, "xyz"):
        if isinstance(event, bytes) and events and isinstance(events[-1], bytes):
            events[-1] += event
        elif event != b"":
            events.append(event)
    return events


def part(*headers: str, content: bytes = b"vk") -> bytes:
    return b"--xyz\r\n" + "\r\n".join(headers).encode() + b"\r\n\r\n" + content + b"\r\n"


def head_of(*headers: str) -> PartHead:
    head, _, _ = split(part(*headers) + b"--xyz--")
    assert isinstance(head, PartHead)
    return head


def test_a_part_is_its_head_its_bytes_and_its_end() -> None:
    one = part('Content-Disposition: form-data; name="name"')
    two = part('content-disposition: form-data; filename="a.pb"; name=model', content=b"")
    assert split(one + two + b"--xyz--\r\n") == [
        PartHead("name", None, ""),
        b"vk",
        PartEnd(),
        PartHead("model", "a.pb", ""),
        PartEnd(),
    ]


def test_a_body_is_complete_with_its_closing_boundary() -> None:
    splitter = Splitter("xyz")
    complete = []
    for piece in (part('Content-Disposition: form-data; name="name"'), b"--xyz-", b"-"):
        splitter.split(piece)
        complete.append(splitter.is_complete)
    assert complete == [False, False, True]
    assert splitter.split(b"\r\nwhatever follows") == []


PIECES = (
    *(
        b"--xyz",
        b"--xyz\r\n",
        b"--xyz--",
        b"--xyz--\r\n",
        b"\r\n",
        b"\r\n\r\n",
        b"--",
        b"-",
        b"xyz",
    ),
    *(b"\r", b"\n", b": ", b":", b" ", b"\0", b"\xff", b"content", b"--xy", b"X", b"X: y"),
    *(b"Content-Disposition: form-data; name=a", b'content-disposition: form-data; name="b"'),
    *(b'; filename="f.png"', b"Content-Type: image/png", b"Content-Transfer-Encoding: base64"),
    part('Content-Disposition: form-data; name="a"', content=b"1\r\n--xy"),
    part('Content-Disposition: form-data; name="b"; filename="f"', "Content-Type: image/png"),
)


@given(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join))
@example(part('Content-Disposition: form-data; name="a"', content=b"") * 2 + b"--xyz--")
@example(part("Content-Disposition: form-data; name=a", "content-disposition: x") + b"--xyz--")
def test_a_whole_body_is_what_a_splitter_finds_in_it(body: bytes) -> None:
    try:
        expected: list[Event] | str = split(body)
    except (BadBody, AssertionError) as error:
        expected = type(error).__name__
    try:
        found: list[Event] | str = whole(body)
    except BadBody as error:
        incomplete = "stops before" in error.message
        found = "AssertionError" if incomplete else "BadBody"
    assert found == expected


def test_nothing_is_kept_of_a_body() -> None:
    tracemalloc.start()
    try:
        for number in range(20):
            with pytest.raises(BadBody):
                whole(b"--xyz" + b"%d" % number * 500_000 + b"\r\n\r\n\r\n--xyz--")
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_splitter_keeps_nothing_of_what_it_gave() -> None:
    tracemalloc.start()
    try:
        splitters = [Splitter("xyz") for _ in range(20)]
        for number, splitter in enumerate(splitters):
            content = b"%d" % number * 500_000
            splitter.split(part("Content-Disposition: form-data; name=model", content=content))
        del content
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()


def test_parts_without_end_end_at_the_first_that_is_none() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(BadBody):
            whole(b"--xyz" + b"\r\n--xyzy" * 500_000)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["params.json; name=x", "a b", "été", "\\x", 'a"b', ""])
def test_a_quoted_name_is_taken_as_it_is(name: str) -> None:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    assert head_of(f'Content-Disposition: form-data; name="{quoted}"').name == name


def test_the_transfer_encoding_is_told() -> None:
    disposition = "Content-Disposition: form-data; name=model"
    assert head_of(disposition, "Content-Transfer-Encoding: BASE64").encoding == "base64"


@given(type_=st.text(max_size=100) | st.text("multipart/form-data;boundary=xyz\" '-*", max_size=60))
def test_no_content_type_makes_another_error_than_ours(type_: str) -> None:
    for prefix in ("", "multipart/form-data;", "multipart/form-data; boundary="):
        with suppress(BadBody, UnsupportedMediaType):
            Splitter(boundary_of(prefix + type_)).split(b"--xyz--")


@pytest.mark.parametrize(
    "type_",
    [
        "Multipart/Form-Data; charset=utf-8; Boundary=xyz",
        'multipart/form-data;boundary="xyz"',
        "multipart/form-data; boundary=xyz; charset=utf-8",
    ],
)
def test_content_types_are_read_as_clients_write_them(type_: str) -> None:
    assert boundary_of(type_) == "xyz"


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        ('filename="model.pb"', "model.pb"),
        ("filename=model.pb", "model.pb"),
        ('filename="/home/me/model.pb"', "model.pb"),
        ('filename="../../etc/passwd"', "passwd"),
        ('filename=".."', ""),
        ('filename="dir/"', ""),
        (r'filename="C:\models\new\model.pb"', "model.pb"),
        (r'filename="\\server\share\model.pb"', "model.pb"),
        (r'filename="a \"b\" c.pb"', 'a "b" c.pb'),
        ('filename="a;b.pb"', "a;b.pb"),
        ('filename="Modèle.pb"', "Modèle.pb"),
        ("filename*=utf-8''Mod%C3%A8le%20%E2%82%AC.pb", "Modèle €.pb"),
        ("filename*=ISO-8859-1'fr'Mod%E8le.pb", "Modèle.pb"),
        ("filename=\"old.pb\"; filename*=UTF-8''new.pb", "new.pb"),
        ("filename=\"old.pb\"; filename*=koi8-r''%c1", "old.pb"),
        ("filename*=utf-8''..%2Fa%00b%0A.pb", "ab.pb"),
        ('filename="a\x01\x7f\u202eb.pb"', "ab.pb"),
        (f'filename="{"x" * 300}.pb"', "x" * 255),
    ],
)
def test_a_file_name_is_a_bare_printable_name(disposition: str, filename: str) -> None:
    head = head_of(f"Content-Disposition: form-data; name=model; {disposition}")
    assert head.filename == filename


@pytest.mark.parametrize("type_", ["", "application/json", "multipart/mixed; boundary=xyz"])
def test_another_media_type_is_refused(type_: str) -> None:
    with pytest.raises(UnsupportedMediaType, match="send multipart/form-data"):
        boundary_of(type_)


@pytest.mark.parametrize(
    "parameters", ["", "; boundary=", '; boundary="', "; charset=xyz", f"; boundary={'x' * 71}"]
)
def test_a_content_type_without_a_usable_boundary_is_refused(parameters: str) -> None:
    with pytest.raises(BadBody, match="lacks a boundary"):
        boundary_of("multipart/form-data" + parameters)


DISPOSITION = "Content-Disposition: form-data; name=name"
REFUSED = {
    "no form": (b"hello", "not the form that its Content-Type announces"),
    "another boundary": (b"--xyy--", "not the form that its Content-Type announces"),
    "no header": (b"--xyz\r\nContent Disposition: x\r\n\r\n", "headers of a part"),
    "a long header": (part(DISPOSITION, "X: " + "x" * 5000), "longer than 4096 bytes"),
    "long headers": (part(DISPOSITION, *["X: " + "x" * 900] * 5), "longer than 4096 bytes"),
    "many headers": (part(DISPOSITION, *["X: x"] * 5000), "too many"),
    "no disposition": (part("X: y"), "has no name"),
    "no name": (part('Content-Disposition: form-data; filename="x"'), "has no name"),
}


@pytest.mark.parametrize(("sent", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_a_bad_body_is_refused(
    sent: bytes,
    message: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for size in (1, 7, len(sent)):
        with pytest.raises(BadBody, match=message):
            split(*(sent[start : start + size] for start in range(0, len(sent), size)))
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("start", [b"\r\n", b"\n\r\n\r\n", b""])
@pytest.mark.parametrize("rubbish", [b"", b"hello", b"a - b"])
def test_in_front_of_the_first_boundary_are_line_breaks_alone_in_whatever_pieces(
    start: bytes, rubbish: bytes
) -> None:
    form = start + rubbish + part('Content-Disposition: form-data; name="a"') + b"--xyz--"
    for size in (1, 3, len(form)):
        pieces = [form[at : at + size] for at in range(0, len(form), size)]
        if rubbish:
            with pytest.raises(BadBody):
                split(*pieces)
        else:
            assert split(*pieces) == [PartHead("a", None, ""), b"vk", PartEnd()]
