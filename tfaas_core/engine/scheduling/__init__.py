"""Scheduling: who polls, who gives way, who rests."""
