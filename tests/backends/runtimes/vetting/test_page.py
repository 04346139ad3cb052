"""What the page of the documentation counts and bounds, compared with the code."""

from __future__ import annotations

import importlib
import re
from pathlib import PurePosixPath

from tests.backends.runtimes.vetting.hostile import HOSTILE
from tests.backends.runtimes.vetting.hostile_models import MODELS
from tests.backends.runtimes.vetting.test_hostile_folders import FOLDERS
from tests.backends.runtimes.vetting.test_op_lists import registered_ops
from tests.core.http.variants import FORBIDDEN, PAIRS
from tests.core.sandbox.attacks import ATTACKS
from tests.docs.markdown import DOCS, prose, rows, section, words
from tests.plugins.codecs.test_held import cases, full_cases
from tests.server.test_bad_input import BAD_UPLOADS

PAGE = DOCS / "vetting.md"
SECURITY = DOCS.parent / "SECURITY.md"
CI = DOCS.parent / ".ci" / "run"


def test_the_bounds_are_those_of_the_code() -> None:
    table = [row for row in rows(section(PAGE, "Bounds")) if row[1].isdigit()]
    assert len(table) == 15
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


def test_the_hostile_cases_are_counted() -> None:
    documented = {words(row[2])[0]: int(row[1]) for row in rows(section(SECURITY, "Hostile cases"))}
    assert documented == {
        "HOSTILE": len(HOSTILE),
        "MODELS": len(MODELS),
        "FOLDERS": len(FOLDERS),
        "ATTACKS": len(ATTACKS),
        "FORBIDDEN": sum(map(len, FORBIDDEN.values())),
        "PAIRS": len(PAIRS),
        "cases": len([*cases(1000), *full_cases()]),
        "BAD_UPLOADS": len(BAD_UPLOADS),
    }


def test_each_change_is_fuzzed_for_as_long_as_it_says() -> None:
    (minutes,) = re.findall(r"^make fuzz MINUTES=(\d+) ", CI.read_text(), re.M)
    assert f"{minutes} minutes for each change" in SECURITY.read_text()
