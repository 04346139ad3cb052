"""An accelerator in the place of a servable: whether it may be, and the change to it."""
