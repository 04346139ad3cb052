"""The contract of Storage as tests: each implementation subclasses ``StorageContract``."""

from __future__ import annotations

from tfaas_core.testing.storage_claims import ClaimsContract
from tfaas_core.testing.storage_faults import FaultsContract
from tfaas_core.testing.storage_leases import LeasesContract
from tfaas_core.testing.storage_models import ModelsContract
from tfaas_core.testing.storage_shared import SharedContract
from tfaas_core.testing.storage_versions import VersionsContract


class StorageContract(
    ModelsContract, VersionsContract, ClaimsContract, LeasesContract, FaultsContract, SharedContract
):
    """What every Storage does. Subclass it as ``Test...``, and set ``make_storage``."""
