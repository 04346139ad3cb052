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

from tfaas_core.errors import BadBody, TfaasError, TooLarge
from tfaas_core.testing.tries import tries
from tfaas_core.uploads.bundle import BundleLimits, is_bundle, is_file_name, unpack

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


def unpacked(tmp_path: Path, *members: tuple[tarfile.TarInfo, bytes], **limits: int) -> Path:
    bounds = BundleLimits(
        limits.get("max_unpacked_bytes", LIMITS.max_unpacked_bytes),
        limits.get("max_bundle_files", LIMITS.max_bundle_files),
    )
    folder = tmp_path / "out"
    unpack(tarball(tmp_path / "b.tar.gz", *members), folder, bounds)
    return folder


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A header with any size, which tarfile would not write."""
    info = tarfile.TarInfo(name)
    info.type = kind
    content = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    first = b"\xff" if size < 0 else b"\x80"
    content[124:136] = first + size.to_bytes(11, "big", signed=True)
    content[148:156] = b" " * 8
    content[148:156] = b"%06o\0 " % sum(content)
    return bytes(content)


def told_size(size: int) -> bytes:
    """A global header: whatever the headers of members say, they have this size."""
    return tarfile.TarInfo.create_pax_global_header({"size": str(size)})


class TestHonestBundles:
    @pytest.mark.parametrize("mode", ["w", "w:gz"])
    def test_all_of_it_is_unpacked(self, tmp_path: Path, mode: str) -> None:
        files = {"m/model.pb": b"graph", "m/variables/index": b"index", "m/params.json": b"{}"}
        packed = tarball(tmp_path / "b", *(member(*file) for file in files.items()), mode=mode)
        assert is_bundle(packed)
        folder = tmp_path / "out"
        unpack(packed, folder, LIMITS)
        assert {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        } == files

    def test_what_macos_adds_is_left_out(self, tmp_path: Path) -> None:
        folder = unpacked(
            tmp_path, member("._vk"), member("vk/._saved_model.pb"), member("vk/saved_model.pb")
        )
        assert [path.name for path in folder.rglob("*")] == ["vk", "saved_model.pb"]


@pytest.mark.parametrize("name", ["model.pb", "a b", "\u00e9" * 127, "-x", "a:b", "..."])
def test_a_bundle_may_hold_a_file_of_this_name(tmp_path: Path, name: str) -> None:
    assert is_file_name(name)
    assert (unpacked(tmp_path, member(f"m/{name}")) / "m" / name).is_file()


@pytest.mark.parametrize(
    "name",
    *[["", ".", "..", "/", "a/b", "/a", "a/", "a\\b", "a\nb", "\udcff", "x" * 256, "\u00e9" * 128]],
)
def test_a_bundle_cannot_hold_a_file_of_this_name(name: str) -> None:
    assert not is_file_name(name)


@pytest.mark.parametrize("name", ["._model.pb", ".DS_Store", "__MACOSX"])
def test_a_file_of_this_name_is_left_out(tmp_path: Path, name: str) -> None:
    assert not is_file_name(name)
    assert list(unpacked(tmp_path, member(name)).iterdir()) == []


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

    @pytest.mark.parametrize("size", [-512, -(10**12), 2**62, 2**80])
    @pytest.mark.parametrize("is_told", [False, True])
    @pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.XHDTYPE])
    @pytest.mark.parametrize("squeeze", [bytes, gzip.compress])
    def test_a_size_that_cannot_be_is_refused(
        self,
        tmp_path: Path,
        size: int,
        is_told: bool,
        kind: bytes,
        squeeze: Callable[[bytes], bytes],
    ) -> None:
        told = told_size(0) if is_told and kind == tarfile.REGTYPE else b""
        content = told + header("m/a", size, kind) + header("m/b", 1) + bytes(4096)
        (tmp_path / "b").write_bytes(squeeze(content))
        with pytest.raises(TfaasError) as refused:
            unpack(tmp_path / "b", tmp_path / "out", LIMITS)
        assert refused.value.status in (400, 413)

    def test_a_folder_of_less_than_nothing_makes_no_room_for_a_file(self, tmp_path: Path) -> None:
        content = header("m", -(10**6), tarfile.DIRTYPE) + header("m/b", 5000) + bytes(8192)
        (tmp_path / "b").write_bytes(content)
        with pytest.raises(BadBody, match="a size that cannot be"):
            unpack(tmp_path / "b", tmp_path / "out", BundleLimits(4096, 100))

    def test_what_a_global_header_hides_is_not_unpacked_to_be_passed_over(
        self, tmp_path: Path
    ) -> None:
        hidden = told_size(0) + header("m/a", 4 << 30) + bytes(256 << 20)
        (tmp_path / "b").write_bytes(gzip.compress(hidden, 1))
        with pytest.raises(BadBody, match="a size that cannot be"):
            unpack(tmp_path / "b", tmp_path / "out", BundleLimits(1 << 40, 100))

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
