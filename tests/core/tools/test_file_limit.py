from __future__ import annotations

from tfaas_core.config import load_config
from tfaas_core.tools.file_limit import needed_files, too_few_files


def test_too_low_a_limit_is_told_with_what_to_do() -> None:
    config = load_config(environ={}, overrides=["engine.max_loaded_models=500"])
    needed = needed_files(config, workers=4)
    assert needed > 500
    assert too_few_files(config, 4, needed) == ""
    told = too_few_files(config, 4, needed - 1)
    assert f"may open {needed - 1} files" in told
    assert "engine.max_loaded_models = 500" in told
    assert f"raise the limit to {needed} or more" in told
