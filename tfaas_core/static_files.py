"""Static files: those of a folder, served below a path."""

from __future__ import annotations

import asyncio
import mimetypes
import os
import stat
from collections.abc import Generator, Iterable, Iterator, Mapping
from datetime import UTC
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote, unquote

import msgspec

from tfaas_core.errors import NotFound, Unavailable
from tfaas_core.fields import Headers
from tfaas_core.operation import Operation
from tfaas_core.route import Request, Response, Right, Route
from tfaas_core.streams import in_threads
from tfaas_core.texts.content_encodings import GZIP_CODING, Gzipped, takes_gzip

INDEX = "index.html"
"""What a folder is shown as."""

_LARGE_BYTES = 1 << 18
"""A file of more is streamed, in pieces of this size."""

_FIELD = "file"
_FILES = Operation("a file", gives=("*/*",))

_TYPES = {
    **{".js": "text/javascript", ".mjs": "text/javascript", ".map": "application/json"},
    **{".md": "text/markdown", ".webp": "image/webp", ".avif": "image/avif"},
    **{".woff": "font/woff", ".woff2": "font/woff2", ".ttf": "font/ttf", ".otf": "font/otf"},
}
_ENCODED_TYPES = {"gzip": "application/gzip"}
_ANY_TYPE = "application/octet-stream"

_SHRINKING = frozenset(("application/json", "application/wasm", "application/xml"))
"""Media types of what is worth compressing, beside those of texts and of XML's kinds."""


class StaticFiles(Iterable[Route]):
    """The routes that serve the files of ``folder`` below ``path``, for ``GET`` and ``HEAD``.

    A folder is shown as its ``index.html``, and never listed. What is no file in there, or a link
    that leads out, is a 404. A file may change at any time. Names end in what tells their media
    type; texts are UTF-8. Clients ask each time whether a file has changed, by ``ETag`` or
    ``Last-Modified``, and get it again only then. Texts and the like are sent by gzip, unless they
    are large, to whoever takes that, and are compressed once.

    ``right``: what it takes to see the files, and ``public``: whether everybody may, as in
    ``Route``. ``headers``: what each answer has, like a ``Content-Security-Policy`` other than that
    which pages have by default. Raises NotADirectoryError.
    """

    def __init__(
        self,
        path: str,
        folder: str | os.PathLike[str],
        right: Right | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
        public: bool = False,
    ) -> None:
        if not os.path.isdir(folder):
            raise NotADirectoryError(f"there is no folder {os.fspath(folder)!r} to serve at {path}")
        self._path = path.rstrip("/")
        self._folder = Path(os.path.realpath(folder))
        self._right: Right | None = right
        self._public = public
        self._headers = dict(headers)
        self._gzipped = Gzipped()
        self._media_types = mimetypes.MimeTypes()
        for suffix, media_type in _TYPES.items():
            self._media_types.add_type(media_type, suffix)

    def __iter__(self) -> Iterator[Route]:
        for path in (self._path or "/", f"{self._path}/{{{_FIELD}...}}"):
            yield Route(
                path,
                ("GET",),
                self._answer,
                right=self._right,
                public=self._public,
                operation=_FILES,
            )

    async def _answer(self, request: Request) -> Response:
        name = request.path_fields.get(_FIELD, "")
        is_folder = request.head.raw_path.endswith("/")
        found = await asyncio.to_thread(self._find, name.rstrip("/"), is_folder)
        if found is None:
            raise NotFound(f"there is no file at {request.head.raw_path[:200]}")
        if found.is_folder:
            # Links of the page are relative to it.
            last = unquote(request.head.raw_path.rpartition("/")[2])
            return Response(status=308, headers={"Location": f"./{quote(last, safe='')}/"})
        media_type = self._media_type(found.path.name)
        headers = found.headers() | self._headers
        may_be_packed = self._may_be_packed(found, media_type)
        if may_be_packed:
            headers["Vary"] = _varying(headers.get("Vary", ""))
        if found.is_known(request.headers):
            return Response(status=304, headers=headers)
        if found.body is None:
            headers["Content-Length"] = str(found.status.st_size)
            return Response(media_type=media_type, headers=headers, stream=in_threads(_read(found)))
        body = found.body
        if may_be_packed and (packed := await self._packed(found, body, request.headers)):
            body, headers["Content-Encoding"] = packed, GZIP_CODING
        return Response(body, media_type=media_type, headers=headers)

    def _may_be_packed(self, found: _Found, media_type: str) -> bool:
        is_packed = any(name.lower() == "content-encoding" for name in self._headers)
        return found.body is not None and _shrinks(media_type) and not is_packed

    async def _packed(self, found: _Found, body: bytes, headers: Headers) -> bytes | None:
        """``body``, the file's, by gzip; None: it is sent as it is."""
        if not takes_gzip(",".join(headers.all("accept-encoding"))):
            return None
        return await asyncio.to_thread(self._gzipped.of, (found.real, found.tag), body)

    def _find(self, name: str, is_folder: bool) -> _Found | None:
        """What is called so below the folder; None: nothing that may be seen."""
        parts = name.split("/") if name else []
        if not {"", ".", ".."}.isdisjoint(parts) or "\0" in name:
            return None
        path = self._folder.joinpath(*parts)
        try:
            if not os.path.isdir(path):
                return None if is_folder else self._looked_at(path)
            index = self._looked_at(path / INDEX)
        except (OSError, ValueError):  # too long, not to be read, or no text of the file system
            return None
        return index and msgspec.structs.replace(index, is_folder=not is_folder)

    def _looked_at(self, path: Path) -> _Found | None:
        real = Path(os.path.realpath(path))
        if not real.is_relative_to(self._folder) or not real.is_file():
            return None
        with open(real, "rb", opener=_opener) as file:
            status = os.stat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                return None
            body = None if status.st_size > _LARGE_BYTES else file.read()
        return _Found(path, real, status, body)

    def _media_type(self, name: str) -> str:
        # It takes what begins like a URL for one.
        media_type, encoding = self._media_types.guess_type(f"./{name}")
        if encoding is not None:
            return _ENCODED_TYPES.get(encoding, _ANY_TYPE)
        if media_type is not None and media_type.startswith("text/"):
            return f"{media_type}; charset=utf-8"
        return media_type or _ANY_TYPE


def _shrinks(media_type: str) -> bool:
    plain = media_type.partition(";")[0]
    return plain.startswith("text/") or plain.endswith("+xml") or plain in _SHRINKING


def _varying(vary: str) -> str:
    return f"{vary}, Accept-Encoding" if vary else "Accept-Encoding"


class _Found(msgspec.Struct, frozen=True):
    """A file. ``path`` is what it is called, ``real`` where it is; ``body``: None if it is large.

    ``is_folder``: it is that of a folder whose path lacks the slash.
    """

    path: Path
    real: Path
    status: os.stat_result
    body: bytes | None
    is_folder: bool = False

    @property
    def tag(self) -> str:
        """Another one after each change."""
        return f'"{self.status.st_mtime_ns:x}-{self.status.st_size:x}"'

    def headers(self) -> dict[str, str]:
        """What is said beside its length and type."""
        return {
            "ETag": f"W/{self.tag}",
            "Last-Modified": formatdate(int(self.status.st_mtime), usegmt=True),
            "Cache-Control": "no-cache",
        }

    def is_known(self, headers: Headers) -> bool:
        """Whether the client has the file as it is."""
        known = ",".join(headers.all("if-none-match"))
        if known:
            tags = [tag.strip().removeprefix("W/") for tag in known.split(",")]
            return self.tag in tags or "*" in tags
        try:
            since = parsedate_to_datetime(headers.get("if-modified-since", ""))
        except (ValueError, TypeError):
            return False
        since = since if since.tzinfo else since.replace(tzinfo=UTC)
        return int(self.status.st_mtime) <= since.timestamp()


def _read(found: _Found) -> Generator[bytes]:
    """The pieces of a large file, as long as it was said to be."""
    left = found.status.st_size
    with open(found.real, "rb", opener=_opener) as file:
        status = os.stat(file.fileno())
        if (status.st_mtime_ns, status.st_size) != (found.status.st_mtime_ns, left):
            raise Unavailable("the file is being changed; try again")
        while left:
            piece = file.read(min(left, _LARGE_BYTES))
            if not piece:
                raise Unavailable("the file became shorter while it was sent")
            left -= len(piece)
            yield piece


def _opener(path: str, flags: int) -> int:
    """Follows no link, and waits for nobody at the other end of a pipe."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
