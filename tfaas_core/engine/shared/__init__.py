"""What an engine's processes share: frames, messages, meters."""
