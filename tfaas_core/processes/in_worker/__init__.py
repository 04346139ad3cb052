"""An HTTP worker: its life, what it answers on, and what watches over its event loop."""
