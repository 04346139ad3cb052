"""RuntimeChoice: which of the runtimes takes a model, and which file of a bundle is one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NoReturn, TypeVar

from tfaas_core.errors import CannotServe, DoesNotFit, TfaasError
from tfaas_core.files.archives import BZIP2, XZ, ZIP, ZSTD, archive_at
from tfaas_core.routing.unexpected import unexpected
from tfaas_core.runtime import Runtime, Verdict
from tfaas_core.storage import MODEL
from tfaas_core.uploads.bundle import is_file_name
from tfaas_core.uploads.companions import COMPANIONS

T = TypeVar("T")

_REPACK = " (this is a tarball or file compressed otherwise than by gzip: use tar cfz)"
_ADVICE = {
    ZIP: " (this is a zip archive, like a .keras file: use Keras's model.export, "
    "and send a tarball of its folder)",
    BZIP2: _REPACK,
    XZ: _REPACK,
    ZSTD: _REPACK,
}


class RuntimeChoice:
    """Asks the installed ``runtimes``, by their names.

    What a runtime raises that is no TfaasError, and what it answers that it must not, is logged,
    and becomes an error of status 500 that names its plugin. All methods block.
    """

    def __init__(self, runtimes: Mapping[str, Runtime]) -> None:
        self._runtimes = runtimes

    def runtime_for(self, artifact: Path, file_name: str, wanted: str = "") -> str:
        """The name of the runtime that loads ``artifact``: ``wanted``, if params name one.

        Or else the only one that is sure of it; or, if none is, the only one that may load it.
        Raises DoesNotFit if ``wanted`` is not installed, CannotServe for none and for several.
        """
        if wanted:
            return self._installed(wanted)
        verdicts = {name: self._verdict(name, artifact, file_name) for name in self._runtimes}
        for verdict in (Verdict.SURE, Verdict.MAYBE):
            names = [name for name, said in verdicts.items() if said is verdict]
            if names[1:]:
                raise _undecided("several runtimes take this file", names)
            if names:
                return names[0]
        raise CannotServe(
            "no runtime recognises this file; installed runtimes: "
            f"{self._listed()}{_advice(artifact)}",
            field="model",
        )

    def record_of(self, artifact: Path, file_name: str, wanted: str = "") -> tuple[str, str]:
        """The runtime, as ``runtime_for`` finds it, and what a record calls the model's file.

        That is ``file_name``, as it was uploaded; of a folder, what its runtime calls it.
        """
        runtime = self.runtime_for(artifact, file_name, wanted)
        if artifact.is_dir():
            return runtime, self.file_name(runtime, "")
        return runtime, file_name or MODEL

    def model_in(self, folder: Path, wanted: str = "") -> Path:
        """The one model in ``folder``: a file, a folder, or ``folder`` itself.

        ``wanted``: the runtime that has to find it; or else any may. If several runtimes find one
        each, those that are sure of theirs count. Raises DoesNotFit if ``wanted`` is not installed,
        CannotServe if there is none, or are several.
        """
        asked = [self._installed(wanted)] if wanted else list(self._runtimes)
        found = _apart({name: self._found(name, folder) for name in asked})
        if len(found) > 1:
            found = self._sure(found) or found
        models = set().union(*found.values())
        if not models and wanted:
            # Of whatever name: the uploader says what it is.
            models = _only_file(folder)
        if len(models) != 1:
            self._refuse(folder, asked, found)
        return models.pop()

    def file_name(self, runtime: str, uploaded: str) -> str:
        """What a model's file is called in a bundle to download, see ``Runtime.file_name``.

        ``uploaded`` itself if the runtime is not installed any more.
        """
        usable = uploaded if uploaded and _is_model_name(uploaded) else ""
        if runtime not in self._runtimes:
            return usable or "model"

        def check(answer: object) -> str:
            if not isinstance(answer, str) or not _is_model_name(answer):
                raise TypeError(f"file_name returned {answer!r:.100}, not the name of a file")
            return answer

        return self._ask(runtime, "file_name", lambda its: check(its.file_name(usable)))

    def _listed(self) -> str:
        return ", ".join(self._runtimes) or "none"

    def _installed(self, wanted: str) -> str:
        if wanted in self._runtimes:
            return wanted
        raise DoesNotFit(
            f"params.runtime is {wanted[:80]!r}; installed runtimes: {self._listed()}",
            field="runtime",
            expected=list(self._runtimes),
            got=wanted[:80],
        )

    def _verdict(self, name: str, artifact: Path, file_name: str) -> Verdict:
        def claim(runtime: Runtime) -> Verdict:
            verdict = runtime.claim(artifact, file_name)
            if not isinstance(verdict, Verdict):
                raise TypeError(f"claim returned {verdict!r:.100}, not a Verdict")
            return verdict

        return self._ask(name, "claim", claim)

    def _found(self, name: str, folder: Path) -> set[Path]:
        def find(runtime: Runtime) -> set[Path]:
            paths = set(runtime.find(folder))
            for path in paths:
                if not isinstance(path, Path) or not _lies_in(folder, path):
                    raise TypeError(f"find returned {path!r:.100}, which is not in the folder")
            return {path for path in paths if path.name not in COMPANIONS}

        return self._ask(name, "find", find)

    def _sure(self, found: Mapping[str, set[Path]]) -> dict[str, set[Path]]:
        """Of what was found, that of which the runtime that found it is sure."""
        sure = {
            name: {path for path in paths if self._verdict(name, path, path.name) is Verdict.SURE}
            for name, paths in found.items()
        }
        return {name: paths for name, paths in sure.items() if paths}

    def _refuse(
        self, folder: Path, asked: Iterable[str], found: Mapping[str, set[Path]]
    ) -> NoReturn:
        if len(found) > 1:
            each = (self._counted(name, len(paths)) for name, paths in found.items())
            raise _undecided(f"the bundle holds {' and '.join(each)}", found)
        # Folders first: who made one does not look for a file.
        order = sorted(asked, key=lambda name: bool(self._runtimes[name].suffixes))
        listed = [self._counted(name, len(found.get(name, ()))) for name in found or order]
        what = " and ".join(listed) or "no model, as far as any runtime knows"
        deeper = not found and self._lies_deeper(folder, order)
        where = " at its top or in its only folder" if deeper else ""
        raise CannotServe(f"the bundle holds {what}{where}; it must hold one model", field="model")

    def _counted(self, name: str, count: int) -> str:
        """Like "no graph (.pb)" or "2 graphs (.pb)"."""
        one, several = self._runtimes[name].nouns
        suffixes = self._runtimes[name].suffixes
        ends = f" ({', '.join(suffixes)})" if suffixes else ""
        noun = (one or f"{name} model{ends}", several or f"{name} models{ends}")[count > 1]
        return f"{count or 'no'} {noun}"

    def _lies_deeper(self, folder: Path, names: Iterable[str]) -> bool:
        ends = tuple(end for name in names for end in self._runtimes[name].suffixes)
        below = (path for path in folder.rglob("*") if path.parent != folder)
        return any(path.name.endswith(ends) and path.is_file() for path in below)

    def _ask(self, name: str, step: str, ask: Callable[[Runtime], T]) -> T:
        runtime = self._runtimes[name]
        try:
            return ask(runtime)
        except TfaasError:
            raise
        except BaseException as error:  # a plugin may call exit()
            doing = f"{step} of the runtime {name!r}"
            raise unexpected(doing, error, type(runtime).__module__) from error


def _undecided(what: str, names: Iterable[str]) -> CannotServe:
    listed = list(names)
    return CannotServe(
        f'{what}: say in params which one is to load it, as "runtime": "NAME", '
        f"NAME being {' or '.join(listed)}",
        field="runtime",
        expected=listed,
    )


def _apart(found: Mapping[str, set[Path]]) -> dict[str, set[Path]]:
    """What was found, without what lies in a folder that is a model of another runtime."""
    apart = {
        name: {
            path
            for path in paths
            if not any(
                other != name and not theirs.isdisjoint(path.parents)
                for other, theirs in found.items()
            )
        }
        for name, paths in found.items()
    }
    return {name: paths for name, paths in apart.items() if paths}


def _lies_in(folder: Path, path: Path) -> bool:
    if not path.is_relative_to(folder):
        return False
    return ".." not in path.relative_to(folder).parts and path.exists()


def _only_file(folder: Path) -> set[Path]:
    files = {p for p in folder.iterdir() if p.is_file() and p.name not in COMPANIONS}
    return files if len(files) == 1 else set()


def _is_model_name(name: str) -> bool:
    return is_file_name(name) and name not in COMPANIONS


def _advice(artifact: Path) -> str:
    """What to do about an archive that is no bundle; empty for anything else."""
    archive = archive_at(artifact)
    return "" if archive is None else _ADVICE.get(archive, "")
