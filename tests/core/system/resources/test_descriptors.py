from __future__ import annotations

import os
import resource
import subprocess
import sys

from tfaas_core.system.resources.descriptors import SpareDescriptors

RAISES = """
import resource
from tfaas_core.system.resources.descriptors import raise_limit
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (100, min(hard, 1000)))
assert raise_limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(hard, 1000)
assert raise_limit() == min(hard, 1000)
"""


def test_the_limit_is_raised_as_far_as_it_may_be() -> None:
    subprocess.run([sys.executable, "-c", RAISES], check=True)


def test_spare_descriptors_are_there_where_no_others_are() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = SpareDescriptors(4)
    os.close(lowest := os.dup(0))
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
        for _turn in range(2):
            with spare.lent():
                opened = [os.dup(0) for _ in range(4)]
                for each in opened:
                    os.close(each)
        with spare.lent():
            with spare.lent():
                pass
            for each in [os.dup(0) for _ in range(4)]:
                os.close(each)
        with spare.lent():
            kept = os.dup(0)
        with spare.lent():
            opened = [os.dup(0) for _ in range(3)]
        for each in [kept, *opened]:
            os.close(each)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        spare.close()
