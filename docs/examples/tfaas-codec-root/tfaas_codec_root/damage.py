"""What is said of a file that uproot cannot read, and of names that are in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tfaas_core.errors import BadBody, TfaasError


@contextmanager
def reading() -> Iterator[None]:
    """Raises BadBody for whatever uproot says of a file."""
    try:
        yield
    except TfaasError:
        raise
    # uproot believes a file, so what is damaged ends in whatever error comes of that.
    except Exception as error:
        said = (
            str(getattr(error, "message", error)).strip().partition("\n")[0][:200]
            or type(error).__name__
        )
        line = "".join(sign if sign.isprintable() else "?" for sign in said)
        raise BadBody(f"the body is not a ROOT file, or it is damaged: {line}") from None


def quoted(name: str) -> str:
    """A name of a client's, as messages quote it: one line, and not too long."""
    return repr(name[:80])


def listed(names: list[str]) -> str:
    """Several names, or the first few of them."""
    few = ", ".join(map(quoted, names[:10]))
    return few if len(names) <= 10 else f"{few} and {len(names) - 10} more"
