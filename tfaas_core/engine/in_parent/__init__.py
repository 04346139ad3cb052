"""The engine's part in the parent: model processes, started, watched and ended."""
