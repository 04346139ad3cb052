"""Protocols of other servers, whose clients this one answers, too."""
