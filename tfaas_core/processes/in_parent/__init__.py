"""The parent: it starts and watches HTTP workers, and owns the ports and the engine's supervisor."""
