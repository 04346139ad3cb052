"""What fuzzing begins with, and all that it ever found: none of these inputs fails any more."""

from __future__ import annotations

from importlib import import_module

import pytest

from tests.fuzz.registry import CORPUS, TARGETS, Target
from tfaas_core.testing.fuzzing import bounded

MOST_CORPUS_BYTES = 300_000


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_no_input_of_the_corpus_fails(target: Target) -> None:
    module = import_module(target.module)
    check = bounded(module.check, target.held_s)
    inputs = sorted(target.corpus.iterdir())
    assert inputs
    try:
        for file in inputs:
            try:
                check(file.read_bytes())
            except Exception as error:
                error.add_note(f"for {file.relative_to(CORPUS)}")
                raise
    finally:
        if (end := getattr(module, "end", None)) is not None:
            end()


def test_each_folder_is_a_targets_and_all_are_small() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} == {target.name for target in TARGETS}
    assert sum(file.stat().st_size for file in CORPUS.rglob("*")) < MOST_CORPUS_BYTES


def test_each_target_is_in_the_registry() -> None:
    modules = {file.stem for file in CORPUS.with_name("targets").glob("*.py")}
    assert modules == {target.name for target in TARGETS}
