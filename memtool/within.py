"""The marks on what memtool starts, by which a memtool does nothing within it, and leaves alone what it wrote."""

WITHIN = "MEMTOOL_WITHIN"
"""An environment variable: set, to anything, in all that memtool runs a model with."""

DIRECTORY = "memtool-summarizer"
"""Where it runs it, below the store: a session that works in a directory of this name is memtool's own, whichever
store's it was."""
