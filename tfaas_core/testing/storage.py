"""The contract of Storage as tests: each implementation subclasses ``StorageContract``."""

from __future__ import annotations

from tfaas_core.testing.suites.storage.claims import ClaimsContract
from tfaas_core.testing.suites.storage.faults import FaultsContract
from tfaas_core.testing.suites.storage.leases import LeasesContract
from tfaas_core.testing.suites.storage.models import ModelsContract
from tfaas_core.testing.suites.storage.shared import SharedContract
from tfaas_core.testing.suites.storage.versions import VersionsContract


class StorageContract(
    ModelsContract, VersionsContract, ClaimsContract, LeasesContract, FaultsContract, SharedContract
):
    """What every Storage does. Subclass it as ``Test...``, and set ``make_storage``."""
