"""What the page of the documentation counts and bounds, compared with the code."""

from __future__ import annotations

import importlib
from pathlib import PurePosixPath

from tests.backends.runtimes.vetting.hostile import HOSTILE
from tests.backends.runtimes.vetting.hostile_models import MODELS
from tests.backends.runtimes.vetting.test_hostile_folders import FOLDERS
from tests.backends.runtimes.vetting.test_op_lists import registered_ops
from tests.docs.markdown import DOCS, prose, rows, section, words

PAGE = DOCS / "vetting.md"


def test_the_bounds_are_those_of_the_code() -> None:
    table = [row for row in rows(section(PAGE, "Bounds")) if row[1].isdigit()]
    assert len(table) == 10
    for what, bound, where in table:
        file, name = words(where)
        path = PurePosixPath(file).relative_to("backends").with_suffix("")
        module = importlib.import_module(".".join(path.parts))
        assert getattr(module, name) == int(bound), what


def test_the_cases_and_the_ops_are_counted() -> None:
    from tfaas_backends.runtimes.vetting.op_lists import ALLOWED_OPS

    page = " ".join(prose(PAGE).split())
    assert f"{len(HOSTILE)} hostile graphs, {len(MODELS)} hostile SavedModels" in page
    assert f"{len(FOLDERS)} hostile folders" in page
    assert f"has the {len(ALLOWED_OPS)} ops" in page
    assert f"{len(set(registered_ops()) - ALLOWED_OPS)} in TensorFlow 2.21" in page
