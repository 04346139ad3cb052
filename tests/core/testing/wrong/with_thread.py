"""Starts a thread as it is imported."""

from __future__ import annotations

import threading

threading.Thread(target=threading.Event().wait, args=(600,), daemon=True).start()
