"""The mark on what memtool starts, by which a memtool that it starts knows to do nothing."""

WITHIN = "MEMTOOL_WITHIN"
"""An environment variable: set, to anything, in all that memtool runs a model with."""
