"""Typed facts taken from events, each with the words that prove it (docs/architecture.md, "Signals")."""
