"""Engines: where servables run. ``base`` is the interface, ``local`` the built-in engine."""
