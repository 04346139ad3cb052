"""Tarballs, honest and hostile."""

from __future__ import annotations

import gzip
import io
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tfaas_core.errors import BadBody, CannotServe, TfaasError, TooLarge
from tfaas_core.testing.tries import tries
from tfaas_core.uploads.bundle import Bundle, BundleLimits, is_bundle, unpack

LIMITS = BundleLimits(max_unpacked_bytes=1 << 30, max_bundle_files=100)


def member(name: str, content: bytes = b"x", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def tarball(path: Path, *members: tuple[tarfile.TarInfo, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return path


def unpacked(tmp_path: Path, *members: tuple[tarfile.TarInfo, bytes], **limits: int) -> Bundle:
    bounds = BundleLimits(
        limits.get("max_unpacked_bytes", LIMITS.max_unpacked_bytes),
        limits.get("max_bundle_files", LIMITS.max_bundle_files),
    )
    return unpack(tarball(tmp_path / "b.tar.gz", *members), tmp_path / "out", bounds)


class TestHonestBundles:
    @pytest.mark.parametrize("mode", ["w", "w:gz"])
    def test_a_saved_model_is_found_and_named_by_its_folder(
        self, tmp_path: Path, mode: str
    ) -> None:
        packed = tarball(
            tmp_path / "b",
            member("model/saved_model.pb", b"graph"),
            member("model/variables/variables.index", b"index"),
            member("model/params.json", b"{}"),
            member("model/labels.txt", b"a"),
            mode=mode,
        )
        assert is_bundle(packed)
        bundle = unpack(packed, tmp_path / "out", LIMITS)
        assert (bundle.name, bundle.model) == ("model", tmp_path / "out" / "model")
        assert (bundle.model / "variables" / "variables.index").read_bytes() == b"index"
        assert bundle.params == bundle.model / "params.json"
        assert bundle.labels == bundle.model / "labels.txt"

    def test_a_saved_model_at_the_root_has_no_name(self, tmp_path: Path) -> None:
        bundle = unpacked(
            tmp_path, member("./saved_model.pb"), member("./variables/variables.index")
        )
        assert (bundle.name, bundle.model) == ("", tmp_path / "out")

    def test_a_saved_model_in_a_version_folder_is_found(self, tmp_path: Path) -> None:
        bundle = unpacked(tmp_path, member("vk/1/saved_model.pb"), member("vk/params.json", b"{}"))
        assert (bundle.name, bundle.model) == ("vk", tmp_path / "out" / "vk" / "1")
        assert bundle.params == tmp_path / "out" / "vk" / "params.json"

    def test_a_frozen_graph_with_its_params_is_found(self, tmp_path: Path) -> None:
        bundle = unpacked(tmp_path, member("vk/graph.pb"), member("vk/params.json", b"{}"))
        assert bundle.model == tmp_path / "out" / "vk" / "graph.pb"

    @pytest.mark.parametrize("place", ["vk", "vk/1"])
    def test_examples_are_found_beside_the_model_or_above_it(
        self, tmp_path: Path, place: str
    ) -> None:
        bundle = unpacked(
            tmp_path, member("vk/1/saved_model.pb"), member(f"{place}/warmup.json", b"[]")
        )
        assert bundle.warmup == tmp_path / "out" / place / "warmup.json"

    def test_what_macos_adds_is_left_out(self, tmp_path: Path) -> None:
        bundle = unpacked(
            tmp_path, member("._vk"), member("vk/._saved_model.pb"), member("vk/saved_model.pb")
        )
        assert [path.name for path in bundle.model.iterdir()] == ["saved_model.pb"]


class TestHostileBundles:
    @pytest.mark.parametrize(
        "name", ["../x", "/etc/x", "a/../../x", "a\\..\\x", "a\nb", "x" * 300, "a/" * 600 + "b"]
    )
    def test_a_path_that_leads_elsewhere_is_refused(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(BadBody, match="the bundle holds"):
            unpacked(tmp_path, member(name))
        assert not (tmp_path / "x").exists()

    @pytest.mark.parametrize(
        "kind",
        [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE],
    )
    def test_links_and_devices_are_refused(self, tmp_path: Path, kind: bytes) -> None:
        with pytest.raises(BadBody, match="neither a regular file nor a folder"):
            unpacked(tmp_path, member("m/x", b"", type=kind, linkname="/etc/passwd"))

    def test_sparse_files_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(BadBody):
            unpacked(tmp_path, member("m/x", b"", type=tarfile.GNUTYPE_SPARSE))

    def test_a_file_twice_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(BadBody, match="twice"):
            unpacked(tmp_path, member("m/saved_model.pb"), member("m/saved_model.pb"))

    def test_a_file_below_a_file_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(TfaasError) as refused:
            unpacked(tmp_path, member("m/x"), member("m/x/y"))
        assert refused.value.status == 400

    def test_too_many_files_are_refused(self, tmp_path: Path) -> None:
        files = [member(f"m/{number}", b"") for number in range(101)]
        with pytest.raises(TooLarge, match=r"limits\.max_bundle_files"):
            unpacked(tmp_path, *files)

    def test_too_many_bytes_are_refused_before_they_are_written(self, tmp_path: Path) -> None:
        with pytest.raises(TooLarge, match=r"limits\.max_unpacked_bytes"):
            unpacked(tmp_path, member("m/x", b"x" * 1001), max_unpacked_bytes=1000)
        assert not (tmp_path / "out" / "m" / "x").exists()

    def test_a_decompression_bomb_is_refused_early(self, tmp_path: Path) -> None:
        size = 10 << 30
        info = tarfile.TarInfo("m/zeros")
        info.size = size
        bomb = tmp_path / "bomb.tar.gz"
        with gzip.open(bomb, "wb", compresslevel=1) as file:
            file.write(info.tobuf())
            for _ in range(64):
                file.write(bytes(1 << 20))
        with pytest.raises(TooLarge):
            unpack(bomb, tmp_path / "out", BundleLimits(1 << 40, 100))
        assert sum(p.stat().st_size for p in (tmp_path / "out").rglob("*") if p.is_file()) == 0

    def test_a_huge_extended_header_is_not_read(self, tmp_path: Path) -> None:
        info = tarfile.TarInfo("pax")
        info.type = tarfile.XHDTYPE
        info.size = 512 << 20
        bomb = tmp_path / "bomb.tar.gz"
        with gzip.open(bomb, "wb", compresslevel=1) as file:
            file.write(info.tobuf())
            for _ in range(64):
                file.write(bytes(1 << 20))
        tracemalloc.start()
        try:
            with pytest.raises(BadBody, match="header"):
                unpack(bomb, tmp_path / "out", LIMITS)
            assert tracemalloc.get_traced_memory()[1] < 16 << 20
        finally:
            tracemalloc.stop()

    @pytest.mark.parametrize(
        ("members", "words"),
        [
            ([member("m/readme.txt")], "no saved_model.pb"),
            ([member("a/saved_model.pb"), member("b/saved_model.pb")], "2 SavedModels"),
            ([member("m/a.pb"), member("m/b.pb")], "2 graphs"),
            ([member("a/a.pb"), member("b/b.pb")], "at its top or in its only folder"),
            ([], "no saved_model.pb"),
        ],
    )
    def test_a_bundle_without_exactly_one_model_is_refused(
        self, tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]], words: str
    ) -> None:
        with pytest.raises(CannotServe, match=words):
            unpacked(tmp_path, *members)

    @pytest.mark.parametrize(
        "damage",
        [lambda b: b[: len(b) // 2], lambda b: b[:10], lambda b: b"", lambda b: b[:-4]],
    )
    def test_a_truncated_tarball_is_refused(
        self, tmp_path: Path, damage: Callable[[bytes], bytes]
    ) -> None:
        whole = tarball(tmp_path / "whole", member("m/saved_model.pb", bytes(range(256)) * 100))
        (tmp_path / "part").write_bytes(damage(whole.read_bytes()))
        with pytest.raises(TfaasError) as refused:
            unpack(tmp_path / "part", tmp_path / "out", LIMITS)
        assert refused.value.status in (400, 422)

    def test_a_bundle_whose_checksum_does_not_match_is_refused(self, tmp_path: Path) -> None:
        whole = tarball(tmp_path / "whole", member("m/saved_model.pb")).read_bytes()
        (tmp_path / "changed").write_bytes(whole[:-8] + bytes(4) + whole[-4:])
        with pytest.raises(BadBody, match="CRC"):
            unpack(tmp_path / "changed", tmp_path / "out", LIMITS)

    @given(junk=st.binary(max_size=3000), at=st.integers(0, 3000), gzipped=st.booleans())
    @settings(
        max_examples=tries(150),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    def test_damage_never_raises_anything_else(
        self, tmp_path_factory: pytest.TempPathFactory, junk: bytes, at: int, gzipped: bool
    ) -> None:
        folder = tmp_path_factory.mktemp("fuzz")
        honest = tarball(
            folder / "b", member("m/saved_model.pb", b"g" * 700), member("m/labels.txt"), mode="w"
        ).read_bytes()
        damaged = honest[:at] + junk + honest[at + len(junk) :]
        (folder / "b").write_bytes(gzip.compress(damaged, 1) if gzipped else damaged)
        try:
            unpack(folder / "b", folder / "out", LIMITS)
        except TfaasError as error:
            assert error.status in (400, 413, 422), error  # noqa: PT017
