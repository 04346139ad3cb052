"""``tfaas download``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from tfaas_core.cli.client import Client, path_of, reason, url_option
from tfaas_core.cli.options import version_option

_CHUNK_BYTES = 256 * 1024


@click.command(epilog="Example: tfaas download vk -o vk.tar.gz")
@click.argument("name")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Where to write it. By default NAME.tar.gz, or NAME-N.tar.gz, in the current folder.",
)
@version_option
@url_option
def download(name: str, output: Path | None, version: int | None, client: Client) -> None:
    """Fetch the model NAME, with params and labels, as a tarball.

    It can be uploaded again. A file that is there already is replaced.
    """
    which = () if version is None else ("versions", str(version))
    file = f"{name}.tar.gz" if version is None else f"{name}-{version}.tar.gz"
    with client.answering("GET", path_of("models", name, *which, "download")) as response:
        target = _Target(output or Path(file))
        try:
            while chunk := response.read(_CHUNK_BYTES):
                target.write(chunk)
            if response.length:
                raise ConnectionError(f"{response.length} bytes are missing")
            target.finish()
        finally:
            target.close()
    if output is None:
        click.echo(file)


class _Target:
    """Where a download goes. A file takes its name only once it is whole.

    Raises ClickException, and no OSError: that would be the connection's.
    """

    def __init__(self, path: Path) -> None:
        self._path = self._part = path
        # A device or a pipe is written to as it is: a file in its place would be something else.
        if path.is_file() or not path.exists():
            self._path = path.resolve()
            self._part = self._path.with_name(f".{path.name}.{os.getpid()}.part")
        with self._errors():
            self._file = self._part.open("wb")

    def write(self, chunk: bytes) -> None:
        with self._errors():
            self._file.write(chunk)

    def finish(self) -> None:
        with self._errors():
            self._file.close()
            self._part.rename(self._path)

    def close(self) -> None:
        """Removes what was not finished."""
        with suppress(OSError):
            self._file.close()
        if self._part != self._path:
            self._part.unlink(missing_ok=True)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise click.ClickException(f"{self._path} cannot be written: {reason(error)}") from None
