"""Settings: where the values of a configuration come from, and whether they fit."""
