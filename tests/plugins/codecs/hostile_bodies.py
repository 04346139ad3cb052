"""Bodies that are short for what they make a codec do: each of about so many bytes."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator

from tests.plugins.codecs.image.images import chunk, png_of

FRAME = "application/x-protobuf; messageType=tfaaspb.DataFrame"
FORM = "multipart/form-data; boundary=b"

ITEMS = {
    "floats": b"0.%013d",
    "integers": b"1%014d",
    "integers of no dtype": b"99999999%014d",
    "exponents": b"1.%08de-100",
    "texts": b'"%012d"',
    "escaped texts": b'"\\u00e9%06d"',
    "NaN": b"NaN",
    "infinities": b"-Infinity",
    "nulls": b"null",
    "booleans": b"true",
    "empty texts": b'""',
    "rows of floats": b"[" + b"0.%013d," * 19 + b"0.5]",
    "rows of texts": b"[" + b'"%012d",' * 19 + b'"a"]',
    "rows of both": b"[" + b'0.%013d,"a",' * 10 + b"NaN]",
    "objects": b'{"a%012d":"%012d","b":[1,2]}',
    "texts in base64": b'{"b64":"QUJDREVGR0g%05d"}',
    "rows in rows": b"[[[[[[%d]]]]]]",
}
"""Of a list: each some bytes, so that there may be many in a long body."""

_MOST_VALUES, _MOST_LISTS = 990_000, 99_000
"""A little less than the limits are."""

_PNG = png_of(1, 1, 8, 0, b"\0")


def json_bodies(size: int) -> Iterator[tuple[str, bytes]]:
    for item in (b"[]", b"[1]", b"[1,2,3]", b"1", b"0.1234567", b"{}", b'{"a":1}', b'""', b"NaN"):
        many = (item + b",") * (size // (len(item) + 1))
        yield f"values of {item!r}", b'{"values":[' + many + item + b"]}"
        yield f"an unused list of {item!r}", b'{"values":[1,2,3],"x":[' + many + item + b"]}"
        yield f"{item!r} without an end", b'{"values":[' + many
    for name in ITEMS:
        yield f"{name}, as many as may be", b'{"values":[' + full_list(name, size) + b"]}"
    for name in ("floats", "texts", "rows of both"):
        full = full_list(name, size)
        yield f"{name}, not used", b'{"values":[1],"x":[' + full + b"]}"
        yield f"{name} behind a number", b'{"values":[0.5,' + full + b"]}"
        yield f"{name}, and no end", b'{"values":[' + full + b"}"
    named = b",".join(b'"%x":1' % number for number in range(size // 10))
    yield "fields", b'{"values":[1,2,3],' + named + b"}"
    yield "inputs", b'{"inputs":{' + named + b"}}"
    yield "keys", b'{"values":[1,2,3],"keys":[' + b'"",' * (size // 3) + b'""]}'
    yield "an escaped text", b'{"values":["' + b"\\n" * (size // 2) + b'"]}'
    yield "a long text", b'{"values":["' + b"a" * size + b'"]}'
    yield "a text that ends with an emoji", b'{"values":["' + b"a" * size + "😀".encode() + b'"]}'
    yield "a text of escaped emoji", b'{"values":["' + b"\\ud83d\\ude00" * (size // 12) + b'"]}'
    yield "a key of escapes", b'{"' + b"\\n" * (size // 2) + b'":[1]}'
    yield "base64", b'{"values":[{"b64":"' + b"QUJD" * (size // 4) + b'"}]}'
    yield "base64 of spaces", b'{"values":[{"b64":"' + b"QUJD    " * (size // 8) + b'"}]}'
    yield "the same key", b'{"values":[1],' + b'"a":1,' * (size // 6) + b'"a":1}'
    yield "nested objects", b'{"values":' + b'{"a":' * 90_000 + b"1" + b"}" * 90_000 + b"}"
    yield "a text that is no UTF-8", b'{"values":["' + b"a" * size + b'\xff"]}'
    yield "spaces", b'{"values":[' + b" " * size + b"1,2,3]}"
    yield "a long number", b'{"values":[' + b"1" * size + b",2,3]}"
    yield "depth", b'{"values":' + b"[" * (size // 2) + b"]" * (size // 2) + b"}"
    yield "quotes", b'{"values":NaN,' + b'"' * size


def full_list(name: str, size: int) -> bytes:
    """What stands in a list of about ``size`` bytes, or of as much as it may hold."""
    item = ITEMS[name]
    several = b",".join(item % ((number,) * item.count(b"%")) for number in range(1000))
    lists = several.count(b"[") + several.count(b"{") + several.count(b":")
    most = _MOST_VALUES // (several.count(b",") + 1), _MOST_LISTS // (lists or 1)
    return b",".join([several] * min(size // len(several), *most))


def msgpack_bodies(size: int) -> Iterator[tuple[str, bytes]]:
    items = {
        "empty lists": b"\x90",
        "lists of 3": b"\x93\1\2\3",
        "integers": b"\1",
        "floats": b"\xca\0\0\0\1",
        "maps": b"\x80",
        "maps of 1": b"\x81\xa1a\1",
        "extensions": b"\xd4\1\2",
        "timestamps": b"\xd6\xff\0\0\0\1",
        "texts": b"\xa1a",
        "bytes": b"\xc4\1a",
    }
    for name, item in items.items():
        count = size // len(item)
        values = b"\xdd" + count.to_bytes(4, "big") + item * count
        yield f"values: {name}", b"\x81\xa6values" + values
        yield f"an unused list: {name}", b"\x82\xa6values\x93\1\2\3\xa1x" + values
        yield f"{name} without an end", b"\x81\xa6values\xdd\xff\xff\xff\xff" + item * count
    yield "long bytes", b"\x81\xa6values\x91\xc6" + (4 * size).to_bytes(4, "big") + bytes(4 * size)
    fields = b"\xa5dtype\xa3<f4\xa5shape\x92" + b"\xce" + size.to_bytes(4, "big") + b"\3"
    data = b"\xa4data\xc6" + (12 * size).to_bytes(4, "big") + bytes(12 * size)
    yield "packed floats", b"\x81\xa6values\x83" + fields + data
    named = b"".join(b"\xa4%04x\1" % (number & 0xFFFF) for number in range(size // 6))
    yield "fields", b"\xdf" + (size // 6).to_bytes(4, "big") + named
    yield "a long text", b"\x81\xa6values\xdb" + size.to_bytes(4, "big") + b"a" * size
    yield "depth", b"\x81\xa6values" + b"\x91" * size


def full_msgpack_bodies() -> Iterator[tuple[str, bytes]]:
    """Of as many values or lists as there may be: none can be longer."""
    for name, full in full_arrays().items():
        yield f"{name}, as many as may be", b"\x81\xa6values" + full
        yield f"{name}, not used", b"\x82\xa6values\x93\1\2\3\xa1x" + full
        yield f"{name}, and more", b"\x81\xa6values" + full + b"\1"


def full_arrays() -> dict[str, bytes]:
    """Lists of as much as there may be."""
    values, rows = _MOST_VALUES, _MOST_LISTS - 2
    many, more = b"\xdd" + values.to_bytes(4, "big"), b"\xdd" + rows.to_bytes(4, "big")
    return {
        "floats": many + b"\xcb\x3f\xe0\1\2\3\4\5\6" * values,
        "texts": many + b"\xaa0123456789" * values,
        "kinds": many + b"\1\xcd\1\2\xa1a" * (values // 3) + b"\1" * (values % 3),
        "rows of texts": more + (b"\x99" + b"\xa8abcdefgh" * 9) * rows,
        "rows of floats": more + (b"\x99" + b"\xca\x3f\1\2\3" * 9) * rows,
        "maps": more[:1] + (rows // 2).to_bytes(4, "big") + b"\x81\xa3abc\1" * (rows // 2),
    }


def protobuf_bodies(size: int) -> Iterator[tuple[str, bytes, str]]:
    fields = {
        "empty rows": b"\x0a\0",
        "rows of 3": b"\x0a\x0e\x12\x0c" + bytes(12),
        "rows that name a model": b"\x0a\x03\x1a\x01a",
        "unpacked values": b"\x15\0\0\0\0",
        "empty values": b"\x12\0",
        "unknown numbers": b"\x20\0",
        "unknown groups": b"\x23\x24",
        "models": b"\x1a\1a",
    }
    for name, field in fields.items():
        for content_type in ("", FRAME):
            yield f"{name} {content_type}", field * (size // len(field)), content_type
    yield "an unknown field before", b"\x20\0" + b"\x0a\0" * (size // 2), FRAME
    yield "no message", b"\xff" * size, ""
    row = b"\x12\x0c" + bytes(12) + b"\x0a\0" * (size // 2)
    yield "keys", row, ""


def image_bodies(size: int) -> Iterator[tuple[str, bytes, str]]:
    head = b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\n'
    for what in (b"\r", b"\r\n", b"\r\n--", b"\r\n--bbbb", b"--", b" ", b"<?xml "):
        yield f"a part of {what!r}", head + what * (size // len(what)) + b"\r\n--b--\r\n", FORM
    yield "empty parts", (head + b"\r\n") * (size // 60) + b"--b--\r\n", FORM
    yield "a header of many lines", b"--b\r\n" + b"A: b\r\n" * (size // 6), FORM
    yield "a preamble", b"\r\n" * (size // 2), FORM
    yield "a picture of nothing", b"\x89PNG\r\n\x1a\n" + bytes(size), "image/png"
    yield "many scans", b"\xff\xd8\xff" + b"\xff\xda" * (size // 2), "image/jpeg"
    for name, piece in jpeg_pieces().items():
        yield f"a JPEG of {name}", b"\xff\xd8" + piece * (size // len(piece)), "image/jpeg"
    for name, piece in png_pieces().items():
        many = piece * (size // len(piece))
        yield f"a PNG of {name}", _PNG[:33] + many + _PNG[33:], "image/png"
        yield f"a PNG with {name} at its end", _PNG[:-12] + many + _PNG[-12:], "image/png"
    yield "many pictures", (head + _PNG + b"\r\n") * (size // 130) + b"--b--\r\n", FORM


def jpeg_pieces() -> dict[str, bytes]:
    """What a JPEG may have many of, in front of its picture."""
    return {
        "comments": b"\xff\xfe\0\2",
        "bytes that fill up": b"\xff",
        "EXIF": b"\xff\xe1\0\x0cExif\0\0II*\0",
        "much EXIF": b"\xff\xe1\xff\xffExif\0\0" + bytes(65527),
        "bytes of nothing": b"\xff\xfe\0\2" + b"a" * 1000,
    }


def png_pieces() -> dict[str, bytes]:
    """The same of a PNG, or behind it."""
    zeros = zlib.compress(bytes(1 << 20))
    return {
        "empty chunks": chunk("abCd", b""),
        "no pixels": chunk("IDAT", b""),
        "texts": chunk("zTXt", b"key\0\0" + zeros),
        "profiles": chunk("iCCP", b"key\0\0" + zeros),
        "texts of many languages": chunk("iTXt", b"key\0\1\0\0\0" + zeros),
        "EXIF": chunk("zTXt", b"Raw profile type exif\0\0" + zeros),
    }


def random_bodies(size: int, seed: int) -> Iterator[tuple[str, bytes, str]]:
    """Long runs of what each format is made of, one behind the other."""
    rng = random.Random(seed)
    tokens = [
        *(b"[", b"]", b"{", b"}", b",", b":", b'"', b"1", b"NaN", b" ", b"\\", b'"a":'),
        *(b"\x90", b"\x80", b"\xdd", b"\xc4", b"\xa1a", b"\xca", b"\0", b"\xff", b"\xdf"),
        *(b"\x0a\0", b"\x12\0", b"\x1a\1a", b"\x20\0", b"\r\n", b"--b", b"\r\n--b"),
    ]
    starts = (b'{"values":[', b"\x81\xa6values", b"", b"--b\r\n")
    body = bytearray(rng.choice(starts))
    while len(body) < size:
        unit = b"".join(rng.choices(tokens, k=rng.randrange(1, 4)))
        body += unit * rng.choice((1, 10, 1000, 100_000))
    yield f"random {seed}", bytes(body[:size]), rng.choice(("", FRAME, FORM))
