"""Requests that RFC 9112 forbids, and that servers read each in its own way; and allowed ones."""

from __future__ import annotations

from tfaas_core.http.grammar import MAX_CHUNK_LINE_BYTES, MAX_TRAILER_BYTES

ROW = b"hello"
LENGTH = "Content-Length: 5"
HOST = "Host: x"
CHUNKED = "Transfer-Encoding: chunked"


def raw(*headers: str, line: str = "POST /echo HTTP/1.1", body: bytes = ROW) -> bytes:
    return "\r\n".join([line, *headers, "\r\n"]).encode("latin-1") + body


def chunked(body: bytes) -> bytes:
    return raw(HOST, CHUNKED, body=body)


FIRST_LINES = {
    "no version": "POST /echo",
    "HTTP/0.9": "POST /echo HTTP/0.9",
    "HTTP/1.2": "POST /echo HTTP/1.2",
    "HTTP/2.0": "POST /echo HTTP/2.0",
    "a version in lower case": "POST /echo http/1.1",
    "a version without a point": "POST /echo HTTP/11",
    "a long version": "POST /echo HTTP/1.10",
    "two spaces": "POST  /echo HTTP/1.1",
    "a space behind": "POST /echo HTTP/1.1 ",
    "a tab": "POST\t/echo HTTP/1.1",
    "a space in the target": "POST /ec ho HTTP/1.1",
    "a method that is no token": "PO(ST /echo HTTP/1.1",
    "a method with a colon": "POST: /echo HTTP/1.1",
    "a method that is not ASCII": "P\xd6ST /echo HTTP/1.1",
    "a target that is not ASCII": "POST /\xe9cho HTTP/1.1",
    "a target with a quote": 'POST /"echo" HTTP/1.1',
    "a target with <": "POST /<echo> HTTP/1.1",
    "a target with a backslash": "POST \\echo HTTP/1.1",
    "a target with a backslash in its path": "POST /a\\echo HTTP/1.1",
    "a fragment": "POST /echo#part HTTP/1.1",
    "a target without a slash": "POST echo HTTP/1.1",
    "a query alone": "POST ?x HTTP/1.1",
    "a star": "POST * HTTP/1.1",
    "a URL without a host": "POST http:///echo HTTP/1.1",
    "a URL with a user": "POST http://a@x/echo HTTP/1.1",
    "an authority": "CONNECT x:80 HTTP/1.1",
}

HEADERS = {
    "no Host": [LENGTH],
    "two Hosts": [HOST, HOST, LENGTH],
    "two different Hosts": [HOST, "Host: y", LENGTH],
    "a list of Hosts": ["Host: x, y", LENGTH],
    "a Host with a path": ["Host: x/y", LENGTH],
    "a Host with a user": ["Host: a@x", LENGTH],
    "a Host with a space": ["Host: x y", LENGTH],
    "a port that is no number": ["Host: x:http", LENGTH],
    "two lengths": [HOST, LENGTH, LENGTH],
    "two different lengths": [HOST, LENGTH, "Content-Length: 0"],
    "a list of lengths": [HOST, "Content-Length: 5, 5"],
    "a length with a plus": [HOST, "Content-Length: +5"],
    "a negative length": [HOST, "Content-Length: -5"],
    "a length in hex": [HOST, "Content-Length: 0x5"],
    "a length with _": [HOST, "Content-Length: 0_5"],
    "a length with a point": [HOST, "Content-Length: 5.0"],
    "a length of two words": [HOST, "Content-Length: 5 5"],
    "a length of other digits": [HOST, "Content-Length: \xb2"],
    "a length behind a no-break space": [HOST, "Content-Length: \xa05"],
    "an empty length": [HOST, "Content-Length:"],
    "a length of 5000 digits": [HOST, "Content-Length: " + "0" * 5000 + "5"],
    "a length and chunks": [HOST, LENGTH, CHUNKED],
    "chunks and a length": [HOST, CHUNKED, LENGTH],
    "chunks twice": [HOST, CHUNKED, CHUNKED],
    "chunks twice in a list": [HOST, "Transfer-Encoding: chunked, chunked"],
    "chunks that are not the last coding": [HOST, "Transfer-Encoding: chunked, identity"],
    "chunks behind another coding": [HOST, "Transfer-Encoding: gzip, chunked"],
    "another coding": [HOST, "Transfer-Encoding: gzip"],
    "a coding that nobody knows": [HOST, "Transfer-Encoding: xchunked"],
    "chunks in quotes": [HOST, 'Transfer-Encoding: "chunked"'],
    "chunks with a parameter": [HOST, "Transfer-Encoding: chunked;x=1"],
    "chunks behind a vertical tab": [HOST, "Transfer-Encoding: \x0bchunked"],
    "an empty coding": [HOST, "Transfer-Encoding:"],
    "a length and another coding": [HOST, LENGTH, "Transfer-Encoding: identity"],
    "a space before the colon of chunks": [HOST, LENGTH, "Transfer-Encoding : chunked"],
    "a tab before the colon of chunks": [HOST, LENGTH, "Transfer-Encoding\t: chunked"],
    "a space before the colon of the length": [HOST, "Content-Length : 5"],
    "a space before the colon of the host": ["Host : x", LENGTH],
    "a space before any colon": [HOST, LENGTH, "X : 1"],
    "a folded header": [HOST, LENGTH, "X: 1", " 2"],
    "a header folded by a tab": [HOST, LENGTH, "X: 1", "\t2"],
    "folded chunks": [HOST, LENGTH, "Transfer-Encoding:", " chunked"],
    "a space before the first header": [" " + HOST, LENGTH],
    "no colon": [HOST, LENGTH, "X"],
    "no name": [HOST, LENGTH, ": 1"],
    "a name with a space": [HOST, LENGTH, "X Y: 1"],
    "a name with a parenthesis": [HOST, LENGTH, "X(Y): 1"],
    "a name that is not ASCII": [HOST, LENGTH, "\xdc: 1"],
    "a name with a NUL": [HOST, LENGTH, "X\0: 1"],
    "a NUL in a value": [HOST, LENGTH, "X: a\0b"],
    "a NUL behind a value": [HOST, LENGTH, "X: a\0"],
    "an escape in a value": [HOST, LENGTH, "X: a\x1bb"],
    "a DEL in a value": [HOST, LENGTH, "X: a\x7fb"],
    "a bare CR in a value": [HOST, LENGTH, "X: 1\rTransfer-Encoding: chunked"],
    "a bare CR behind a value": [HOST, LENGTH, "X: 1\r"],
    "a bare LF in a value": [HOST, LENGTH, "X: 1\nTransfer-Encoding: chunked"],
}

WHOLE = {
    "chunks of HTTP/1.0": raw(HOST, CHUNKED, line="POST /echo HTTP/1.0", body=b"0\r\n\r\n"),
    "LF alone": raw(HOST, LENGTH).replace(b"\r\n", b"\n"),
    "LF behind the first line": raw(HOST, LENGTH).replace(b"\r\n", b"\n", 1),
    "LF behind the head": b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\n\nhello",
    "CR alone": raw(HOST, LENGTH).replace(b"\r\n", b"\r"),
    "two empty lines before": b"\r\n\r\n" + raw(HOST, LENGTH),
    "an empty line of LF before": b"\n" + raw(HOST, LENGTH),
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9 without a version": b"GET /\r\n",
}

CHUNKS = {
    "0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "a plus": b"+5\r\nhello\r\n0\r\n\r\n",
    "a minus": b"-5\r\nhello\r\n0\r\n\r\n",
    "an underscore": b"0_5\r\nhello\r\n0\r\n\r\n",
    "a space before a size": b" 5\r\nhello\r\n0\r\n\r\n",
    "a space behind a size": b"5 \r\nhello\r\n0\r\n\r\n",
    "no size": b"\r\nhello\r\n0\r\n\r\n",
    "no hex": b"g\r\nhello\r\n0\r\n\r\n",
    "a size of 17 digits": b"00000000000000005\r\nhello\r\n0\r\n\r\n",
    "other digits": b"\xef\xbc\x95\r\nhello\r\n0\r\n\r\n",
    "no CRLF behind a chunk": b"5\r\nhello0\r\n\r\n",
    "two letters instead of it": b"5\r\nhelloXX0\r\n\r\n",
    "LF behind a chunk": b"5\r\nhello\n0\r\n\r\n",
    "CR behind a chunk": b"5\r\nhello\r0\r\n\r\n",
    "LF behind a size": b"5\nhello\r\n0\r\n\r\n",
    "CR behind a size": b"5\rhello\r\n0\r\n\r\n",
    "CR LF in the wrong order": b"5\n\rhello\r\n0\r\n\r\n",
    "LF behind the last size": b"5\r\nhello\r\n0\n\n",
    "a chunk that is longer than its size": b"4\r\nhello\r\n0\r\n\r\n",
    "a chunk that is shorter than its size": b"6\r\nhello\r\n0\r\n\r\n",
    "an extension without a name": b"5;\r\nhello\r\n0\r\n\r\n",
    "an extension with a NUL": b"5;a=\0\r\nhello\r\n0\r\n\r\n",
    "an extension with a LF": b"5;a\n=b\r\nhello\r\n0\r\n\r\n",
    "an extension with a CR": b"5;a\r=b\r\nhello\r\n0\r\n\r\n",
    "a quote that is open": b'5;a="b\r\nhello\r\n0\r\n\r\n',
    "a long extension": b"5;a=%b\r\nhello\r\n0\r\n\r\n" % (b"x" * MAX_CHUNK_LINE_BYTES),
    "a trailer that is no header": b"5\r\nhello\r\n0\r\nGET / HTTP/1.1\r\n\r\n",
    "a trailer that is folded": b"5\r\nhello\r\n0\r\nX: 1\r\n 2\r\n\r\n",
    "a trailer with a space before its colon": b"5\r\nhello\r\n0\r\nX : 1\r\n\r\n",
    "a trailer with LF": b"5\r\nhello\r\n0\r\nX: 1\n\r\n",
    "a trailer with a NUL": b"5\r\nhello\r\n0\r\nX: \0\r\n\r\n",
    "a long trailer": b"5\r\nhello\r\n0\r\nX: %b\r\n\r\n" % (b"x" * MAX_TRAILER_BYTES),
    "many trailers": b"5\r\nhello\r\n0\r\n%b\r\n" % (b"X: 1\r\n" * MAX_TRAILER_BYTES),
    "many long extensions": b"1;a=%b\r\nx\r\n" % (b"x" * 200) * 200 + b"0\r\n\r\n",
}

FORBIDDEN = {
    "first lines": {name: raw(HOST, LENGTH, line=line) for name, line in FIRST_LINES.items()},
    "headers": {name: raw(*headers) for name, headers in HEADERS.items()},
    "whole": WHOLE,
    "chunks": {name: chunked(body) for name, body in CHUNKS.items()},
}


SMUGGLED = raw(HOST, "Content-Length: 8", body=b"smuggled")

PAIRS = {
    "a length, then chunks": raw(HOST, "Content-Length: 4", CHUNKED, body=b"0\r\n\r\n" + SMUGGLED),
    "chunks, then a length": raw(HOST, CHUNKED, "Content-Length: 4", body=b"0\r\n\r\n" + SMUGGLED),
    "two lengths": raw(HOST, "Content-Length: 0", LENGTH, body=SMUGGLED),
    "chunks that only one sees": raw(
        HOST, LENGTH, "Transfer-Encoding:\x0bchunked", body=b"0\r\n\r\n" + SMUGGLED
    ),
    "a trailer that is a request": chunked(b"0\r\n" + SMUGGLED),
    "a size of which one reads a part": chunked(b"0x5\r\nhello\r\n0\r\n\r\n" + SMUGGLED),
    "an end of line in an extension": chunked(b"0;\nx\r\n\r\n" + SMUGGLED),
    "a body of HTTP/1.0": raw(CHUNKED, line="POST /echo HTTP/1.0", body=b"0\r\n\r\n" + SMUGGLED),
}


ALLOWED = {
    "HTTP/1.0 without a Host": raw(LENGTH, line="POST /echo HTTP/1.0"),
    "an empty Host": raw("Host:", LENGTH),
    "a Host with a port": raw("Host: x:8083", LENGTH),
    "a Host of IPv6": raw("Host: [::1]:8083", LENGTH),
    "a URL": raw(HOST, LENGTH, line="POST http://[::1]:8083/echo?x=%20 HTTP/1.1"),
    "what browsers send in a query": raw(HOST, LENGTH, line="POST /echo?a[]={b}|c^d`e HTTP/1.1"),
    "values with spaces and tabs": raw(HOST, "Content-Length: \t 5 \t", "X:\t a\tb c \t"),
    "values that are not ASCII": raw(HOST, LENGTH, "X: \xe9"),
    "an empty value": raw(HOST, LENGTH, "X:", "Y: "),
    "a repeated header": raw(HOST, LENGTH, "X: 1", "X: 2"),
    "an empty line before": b"\r\n" + raw(HOST, LENGTH),
    "zeros before a length": raw(HOST, "Content-Length: 0005"),
    "chunks": chunked(b"5\r\nhello\r\n0\r\n\r\n"),
    "chunks in any case": raw(
        HOST, "Transfer-encoding:  ChunKed \t", body=b"5\r\nhello\r\n0\r\n\r\n"
    ),
    "sizes with zeros": chunked(b"0005\r\nhello\r\n000\r\n\r\n"),
    "several chunks": chunked(b"1\r\nh\r\n2\r\nel\r\n2\r\nlo\r\n0\r\n\r\n"),
    "extensions": chunked(b'5;a;b=c ; d="e \\" ;"\r\nhello\r\n0;x\r\n\r\n'),
    "trailers": chunked(b"5\r\nhello\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\n\r\n"),
    "an upgrade to WebSocket": raw(HOST, LENGTH, "Upgrade: websocket", "Connection: upgrade"),
}
