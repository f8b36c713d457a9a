"""The text index: what can be found, where, and in which order (docs/search.md)."""
