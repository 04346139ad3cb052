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
        raise BadBody(f"the ROOT file cannot be read, or it is damaged{_said(error)}") from None


def _said(error: Exception) -> str:
    """What an error says of the file, after a colon; nothing, if it tells of uproot's insides."""
    if isinstance(error, AttributeError | TypeError | LookupError | AssertionError):
        return ""
    said = str(getattr(error, "message", error)).strip().partition("\n")[0][:200]
    return ": " + "".join(sign if sign.isprintable() else "?" for sign in said) if said else ""


def quoted(name: str) -> str:
    """A name of a client's, as messages quote it: one line, and not too long."""
    return repr(name[:80])


def listed(names: list[str]) -> str:
    """Several names, or the first few of them."""
    few = ", ".join(map(quoted, names[:10]))
    return few if len(names) <= 10 else f"{few} and {len(names) - 10} more"
