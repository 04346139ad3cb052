"""Loop: what goes on in and beside an event loop."""
