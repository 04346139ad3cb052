"""Scheduling: who polls, who gives way, who rests. docs/scheduling.md tells it from outside."""
