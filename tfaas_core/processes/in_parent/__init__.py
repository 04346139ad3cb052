"""The parent: it starts and watches HTTP workers, and owns the ports and the supervisor."""
