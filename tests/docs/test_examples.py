"""The examples of the documentation, run: against one real server, with their printed answers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from tfaas_backends.demo import demo_models

from tests.docs.markdown import DOCS, PAGES, ROOT, Block, blocks
from tfaas_core import __version__
from tfaas_core.testing.server import RunningServer, running_server

URL = "http://localhost:8083"
DEMO_MODELS = [model.name for model in demo_models()]
WITHIN_S = 120
VARYING_KEYS = ("timestamp", "size", "checksum")


def is_output(block: Block) -> bool:
    """Whether the block is what the ``sh`` block right above it prints."""
    return block.follows and not block.note and block.language in ("json", "text")


def steps(page: Path) -> list[tuple[Block, Block | None]]:
    """The page's files and ``sh`` blocks, in order, each with its output, if any is shown."""
    found = blocks(page)
    return [
        (block, following if following and is_output(following) else None)
        for block, following in zip_longest(found, found[1:])
        if block.file or block.language == "sh"
    ]


def write(block: Block, folder: Path) -> None:
    """Writes the file that a block is."""
    file = folder / block.file
    file.parent.mkdir(exist_ok=True)
    file.write_text(block.text)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which the documented plugins are installed, as a user would do it."""
    folder = tmp_path_factory.mktemp("plugin")
    for page in ("hooks.md", "write-a-plugin.md"):
        for block in blocks(DOCS / page):
            if block.file:
                write(block, folder)
    plugins = sorted(str(file.parent) for file in folder.glob("*/pyproject.toml"))
    assert plugins
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--no-build-isolation", "--no-index", "--target", str(folder / "site")),
            *plugins,
        ],
        check=True,
        timeout=WITHIN_S,
    )
    return folder / "site"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, site: Path) -> Iterator[RunningServer]:
    """``tfaas serve --demo``, with the documented plugins."""
    folder = tmp_path_factory.mktemp("server")
    with running_server(
        folder, "server.workers=1", arguments=("--demo",), env={"PYTHONPATH": str(site)}
    ) as running:
        yield running


@pytest.fixture(scope="module")
def announced(server: RunningServer) -> str:
    """What ``make serve`` prints: once the last line is there, so are the demo models."""
    recipe = (ROOT / "Makefile").read_text().partition("\nserve:")[2].splitlines()[1].strip()
    assert recipe == "$(BIN)/tfaas serve --demo"
    assert server.process.stdout is not None
    ready = "".join(server.process.stdout.readline() for _ in DEMO_MODELS)
    return f".venv/bin/tfaas serve --demo\nTFaaS {__version__} serves {server.url}\n{ready}"


@pytest.fixture
def folder(tmp_path: Path, server: RunningServer) -> Iterator[Path]:
    """The current folder of a page's commands; the models that they leave are deleted."""
    (tmp_path / "backends").symlink_to(ROOT / "backends")
    yield tmp_path
    for name in server.names():
        if name not in DEMO_MODELS:
            server.http.delete(f"/delete/{name}")


def run(block: Block, folder: Path, server: RunningServer, site: Path) -> str:
    """What the block's commands print. They fail only where the page says so."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TFAAS_")}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(site),
        "COLUMNS": "80",
        # A package is built with what is installed here: pip takes 0 for "no isolation".
        "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_NO_INDEX": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text.replace(URL, server.url)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S,
    )
    expected_status = int(block.note.removeprefix("exits with ") or 0)
    assert done.returncode == expected_status, f"{block}: {done.stdout}{done.stderr}"
    return done.stderr if expected_status else done.stdout


def plain(document: Any) -> Any:
    """A JSON document without what differs between runs and machines."""
    match document:
        case list():
            return [plain(value) for value in document]
        case dict():
            varying = {key: type(document[key]) for key in VARYING_KEYS if key in document}
            return {key: plain(value) for key, value in document.items()} | varying
        case float():
            return rounded(document)
    return document


def rounded(number: float) -> str:
    """Other processors compute other last digits."""
    return f"{number:.3g}"


def plain_text(text: str) -> str:
    return re.sub(r"\d+\.\d+", lambda number: rounded(float(number[0])), text).rstrip()


def assert_printed(printed: str, expected: Block) -> None:
    if expected.language == "json":
        assert plain(json.loads(printed)) == plain(json.loads(expected.text)), str(expected)
        # Dicts are equal in any order, but clients see the one of the text.
        assert re.findall(r'"\w+":', printed) == re.findall(r'"\w+":', expected.text), str(expected)
    else:
        assert plain_text(printed) == plain_text(expected.text), str(expected)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if steps(page)], ids=lambda page: page.name
)
def test_the_examples_of_a_page_print_what_it_says(
    page: Path, server: RunningServer, announced: str, site: Path, folder: Path
) -> None:
    for block, output in steps(page):
        if block.file:
            write(block, folder)
        elif block.note == "server":
            assert output is not None
            assert_printed(re.sub(r"(127\.0\.0\.1):\d+", r"\1:8083", announced), output)
        elif not block.note.startswith("not run: "):
            printed = run(block, folder, server, site)
            if output is not None:
                assert_printed(printed, output)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_block_is_compared_with_something(page: Path) -> None:
    for block in blocks(page):
        is_signature = block.language == "python" and block.text.startswith("def tfaas_")
        is_picture = block.language == "text"
        known = block.language == "sh" or block.file or is_output(block) or is_signature
        assert known or is_picture, f"{block} is neither run nor a file nor an output"
        assert not block.note or re.match(r"(file|not run): .|server$|exits with \d$", block.note)
