from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from tfaas_storage_tfserving import make_tfserving_storage, tfaas_register_storages
from tfaas_storage_tfserving.files import artifact_in, state_of
from tfaas_storage_tfserving.reader import fingerprint_of
from tfaas_storage_tfserving.records import Finding, Records
from tfaas_storage_tfserving.sources import Source
from tfaas_storage_tfserving.storage import TfServingStorage

from tfaas_core.errors import ConfigError, DamagedFile, StorageUnavailable, UnknownVersion
from tfaas_core.models.checksum import artifact_checksum
from tfaas_core.storage import DefaultChoice
from tfaas_core.testing.models import model_version
from tfaas_core.testing.storage_read_only import ReadOnlyStorageContract
from tfaas_core.testing.waiting import until

Make = Callable[..., TfServingStorage]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[TfServingStorage] = []

    def storage(**table: object) -> TfServingStorage:
        made.append(make_tfserving_storage(table, tmp_path))
        return made[-1]

    yield storage
    for each in made:
        each.close()


def put(version: Path, content: bytes = b"a graph") -> Path:
    """A version that looks like one, and is old enough not to be copied any more."""
    version.mkdir(parents=True)
    (version / "saved_model.pb").write_bytes(content)
    return version


def found(version: Path, name: str = "vk") -> None:
    """What somebody found out about it, as if it could be served."""
    artifact = artifact_in(version)
    assert artifact is not None
    record = msgspec.structs.replace(
        model_version(name=name, version=int(version.name)), checksum=artifact_checksum(artifact)
    )
    # The folder of the test has them beside the models.
    folder = next(f for f in version.parents if f.name.startswith(("test_", "storage")))
    records = Records(folder / "records")
    records.open()
    read_as = fingerprint_of(Source(name, version.parent), state_of(version).fingerprint)
    records.put(name, version, Finding(read_as, record))


def make_storage(folder: Path) -> TfServingStorage:
    return make_tfserving_storage({"model_base_path": "base", "poll_s": 0.1}, folder)


def put_version(folder: Path, name: str, number: int) -> None:
    found(put(folder / "base" / name / str(number)), name)


def remove_version(folder: Path, name: str, number: int) -> None:
    shutil.rmtree(folder / "base" / name / str(number))


class TestTfServingStorage(ReadOnlyStorageContract):
    make_storage = make_storage
    put = staticmethod(put_version)
    remove = staticmethod(remove_version)


def served(storage: TfServingStorage) -> dict[str, list[int]]:
    return {model.name: [v.version for v in model.versions] for model in storage.list()}


def test_the_plugin_registers_the_storage() -> None:
    assert list(tfaas_register_storages()) == ["tfserving"]


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({}, "say one of model_base_path, model_config_file, model_repository, here is none"),
        (
            {"model_base_path": "a", "model_repository": "b"},
            "here is model_base_path and model_repository",
        ),
        ({"model_repository": "b", "model_name": "vk"}, "model_name belongs to model_base_path"),
        ({"model_base_path": "a", "model_name": "no name"}, "model_name is 'no name'"),
        ({"model_base_path": "a", "poll_s": 0}, ">= 0.1"),
        ({"base": "a"}, "unknown field `base`"),
    ],
)
def test_a_wrong_table_is_told(make: Make, table: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        make(**table)


def test_what_is_not_there_is_told_by_check_and_at_the_start(make: Make, tmp_path: Path) -> None:
    (tmp_path / "models.config").write_text("model_config_list { config: nonsense }")
    for table, told in [
        ({"model_base_path": "none"}, "none' cannot be used: No such file or directory - at"),
        ({"model_config_file": "models.config"}, "models.config cannot be read: 1:29 :"),
    ]:
        with pytest.raises(ConfigError, match=told):
            make(**table).examine()
        with pytest.raises(StorageUnavailable, match=told):
            make(**table).open()


def test_the_highest_whole_version_is_live(make: Make, tmp_path: Path) -> None:
    for number in (1, 2, 3, 10):
        put(tmp_path / "base" / "vk" / str(number))
    for number in (1, 2, 3):
        found(tmp_path / "base" / "vk" / str(number))
    for other in ("0", "01", "x", "99999999999"):
        put(tmp_path / "base" / "vk" / other)
    assert served(make(model_base_path="base")) == {"vk": [3]}
    assert served(make(model_base_path="base/vk", model_name="vk")) == {"vk": [3]}
    assert served(make(model_base_path="base/vk", model_name="other")) == {}
    assert make(model_base_path="base").examine() == []
    (hint,) = make(model_base_path="base/vk").examine()
    assert "holds versions of one model: name it by storage.model_name" in hint


def test_folders_may_begin_with_zeros(make: Make, tmp_path: Path) -> None:
    for name in ("00000001", "123"):
        found(put(tmp_path / "base" / "vk" / name))
    write_config(tmp_path, f'name: "vk" base_path: "{tmp_path}/base/vk" {ALL}')
    storage = make(model_config_file="models.config")
    (model,) = storage.list()
    assert served(storage) == {"vk": [1, 123]}
    paths = [storage.artifact(version) for version in model.versions]
    assert [path.name for path in paths] == ["00000001", "123"]


ALL = "model_version_policy { all { } }"

POLICIES = {
    "": [3],
    "latest { num_versions: 2 }": [2, 3],
    "latest { }": [3],
    "all { }": [1, 2, 3],
    "specific { versions: 1 versions: 2 }": [1, 2],
    "specific { }": [],
    "specific: { versions: [1, 3, 7] }": [1, 3],
}


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_chooses_versions(make: Make, tmp_path: Path, policy: str) -> None:
    for number in (1, 2, 3):
        found(put(tmp_path / "base" / str(number)))
        found(put(tmp_path / "triton" / "vk" / str(number)))
    expected = {"vk": POLICIES[policy]} if POLICIES[policy] else {}
    said = f"model_version_policy {{ {policy} }}" if policy else ""
    write_config(tmp_path, f'name: "vk" base_path: "{tmp_path}/base" {said}')
    assert served(make(model_config_file="models.config")) == expected
    said = f"version_policy {{ {policy} }}" if policy else ""
    (tmp_path / "triton" / "vk" / "config.pbtxt").write_text(
        f"instance_group [ {{ gpus: [ 0 ] }} ] {said}"
    )
    assert served(make(model_repository="triton")) == expected


def write_config(folder: Path, *models: str) -> None:
    configs = " ".join(f"config {{ {model} }}" for model in models)
    (folder / "models.config").write_text(f"model_config_list {{ {configs} }}")


def test_two_models_may_have_one_folder(make: Make, tmp_path: Path) -> None:
    version = put(tmp_path / "base" / "1")
    found(version, "vk")
    found(version, "other")
    configs = [f'name: "{name}" base_path: "{tmp_path}/base"' for name in ("vk", "other")]
    write_config(tmp_path, *configs)
    assert served(make(model_config_file="models.config")) == {"other": [1], "vk": [1]}


def test_labels_are_those_of_the_configuration(make: Make, tmp_path: Path) -> None:
    for number in (1, 2):
        found(put(tmp_path / "base" / str(number)))
    labels = " ".join(
        f'version_labels {{ key: "{label}" value: {number} }}'
        for label, number in [("stable", 1), ("canary", 2), ("gone", 3), ("no label", 1)]
    )
    vk = f'name: "vk" base_path: "{tmp_path}/base" model_platform: "tensorflow"'
    write_config(tmp_path, f"{vk} model_version_policy {{ all {{}} }} {labels} future_field: 1")
    storage = make(model_config_file="models.config")
    (model,) = storage.list()
    assert model.pointers.labels == {"stable": 1, "canary": 2}
    before = storage.revision()
    write_config(tmp_path, f'{vk} version_labels {{ key: "stable" value: 2 }}')
    assert storage.revision() != before
    (model,) = storage.list()
    assert model.pointers.labels == {"stable": 2}
    # A configuration that is broken later counts as it was.
    (tmp_path / "models.config").write_text("model_config_list { broken")
    assert served(storage) == {"vk": [2]}
    # So it does in a process that starts then.
    assert served(make(model_config_file="models.config")) == {"vk": [2]}


def test_what_cannot_be_served_is_told_once(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found(put(tmp_path / "base" / "1"))
    write_config(
        tmp_path,
        f'name: "vk" base_path: "{tmp_path}/base"',
        'name: "far" base_path: "gs://bucket/far"',
        f'name: "torch" base_path: "{tmp_path}/base" model_platform: "pytorch_libtorch"',
        f'name: "not a name" base_path: "{tmp_path}/base"',
        f'name: "nowhere" base_path: "{tmp_path}/nowhere"',
    )
    storage = make(model_config_file="models.config")
    with caplog.at_level(logging.WARNING):
        assert served(storage) == served(storage) == {"vk": [1]}
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "model 'far' is not served",
        "model 'torch' is not served",
        "'not a name' is not served",
        "model 'nowhere' is not served",
    ]


def test_triton_has_its_files_in_other_places(tmp_path: Path) -> None:
    put(tmp_path / "1" / "model.savedmodel")
    put(tmp_path / "2")
    (tmp_path / "3").mkdir()
    (tmp_path / "3" / "model.graphdef").write_bytes(b"a graph")
    (tmp_path / "4").mkdir()
    places = [artifact_in(tmp_path / str(number)) for number in (1, 2, 3, 4)]
    assert places == [
        *(tmp_path / "1" / "model.savedmodel", tmp_path / "2"),
        *(tmp_path / "3" / "model.graphdef", None),
    ]


def test_an_artifact_is_where_it_lies(make: Make, tmp_path: Path) -> None:
    version = put(tmp_path / "base" / "vk" / "1")
    found(version)
    storage = make(model_base_path="base")
    model = storage.model("vk")
    assert model is not None
    assert storage.artifact(model.live) == version
    (version / "saved_model.pb").write_bytes(b"another")
    with pytest.raises(DamagedFile, match="vk/1 have changed"):
        storage.artifact(model.live)
    shutil.rmtree(version)
    with pytest.raises(UnknownVersion):
        storage.artifact(model.live)
    assert storage.model("vk") is None


def test_every_change_is_refused(make: Make, tmp_path: Path) -> None:
    found(put(tmp_path / "base" / "vk" / "1"))
    storage = make(model_base_path="base")
    with pytest.raises(StorageUnavailable, match="changed only there") as refused:
        storage.stage()
    assert (refused.value.status, refused.value.code) == (403, "read_only")
    assert "Retry-After" not in refused.value.headers()
    with pytest.raises(StorageUnavailable, match="changed only there"), storage.claim("vk"):
        pass
    with pytest.raises(StorageUnavailable, match="changed only there"):
        storage.choose_default(DefaultChoice("vk", ""))
    assert os.listdir(tmp_path / "base" / "vk") == ["1"]


def test_a_version_is_settled_once_nothing_changes(tmp_path: Path) -> None:
    version = put(tmp_path / "1")
    before = state_of(version)
    assert not before.is_settled
    assert msgspec.structs.replace(before, changed_s=time.time() - 10).is_settled
    (version / "variables").mkdir()
    (version / "variables" / "variables.index").write_bytes(b"index")
    assert state_of(version).fingerprint != before.fingerprint


def test_broken_versions_are_told_from_the_highest_down(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    storage = make(model_base_path="base", poll_s=0.1)
    base = tmp_path / "base" / "vk"
    (base / "3" / "variables").mkdir(parents=True)
    versions = [put(base / number, b"no graph") for number in ("2", "1")]
    told = [
        f"version vk/3, in {base / '3'}, is not served: "
        "it holds no saved_model.pb, no model.savedmodel and no model.graphdef",
    ]
    told += [
        f"version vk/{version.name}, in {version}, is not served: "
        "saved_model.pb is not a SavedModel, or a damaged one"
        for version in versions
    ]
    storage.open()

    def are_told() -> bool:
        storage.wait_for_change("", 0)
        return len(caplog.records) == len(told)

    until(are_told, 120)
    assert [record.getMessage() for record in caplog.records] == told
    assert served(storage) == {}


def test_what_is_gone_is_forgotten(make: Make, tmp_path: Path) -> None:
    version = put(tmp_path / "base" / "vk" / "1")
    found(version)
    storage = make(model_base_path="base")
    storage.open()
    before = storage.revision()
    shutil.rmtree(version)
    assert storage.wait_for_change(before, 10) != before
    assert Records(tmp_path / "records").get("vk", version) is None
