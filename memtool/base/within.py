"""The marks on what memtool starts, by which a memtool does nothing within it, and leaves alone what it wrote."""

WITHIN = "MEMTOOL_WITHIN"
"""An environment variable: set, to anything, in all that memtool runs a model with."""

DIRECTORY = "summarizer"
"""Where it runs it, below the store: a session whose working directory this is, is memtool's own."""
