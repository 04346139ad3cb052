"""Sites: what pages of other sites may have browsers send here."""

from __future__ import annotations

from tfaas_core.errors import Forbidden
from tfaas_core.route import Head
from tfaas_core.routing.cors import Cors

_LOOKS = frozenset(("GET", "HEAD", "OPTIONS"))


def check_site(head: Head, cors: Cors | None) -> None:
    """Raises Forbidden if ``head`` is of a page of another site, and more than a look.

    Pages that ``cors`` allows may ask for all that they can. A form of any page may be sent
    anywhere, without a question beforehand, with the browser's certificate and past a firewall.
    """
    if not head.is_cross_site or head.method in _LOOKS:
        return
    origin = head.headers.get("origin", "")
    if cors is None or not cors.allows(origin):
        raise Forbidden(
            "a page of another site had a browser send this; only pages that `cors.origins` names "
            "may do that",
            got=origin[:140],
        )
