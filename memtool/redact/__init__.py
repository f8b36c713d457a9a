"""Redaction: the known kinds of secrets, and the engine that replaces them in text. Pure."""
