"""``python -m tfaas_core`` is ``tfaas``."""

import sys

from tfaas_core.cli import main

sys.exit(main())
