"""Forgetting: what a selector means, what it finds, and taking it away until no byte of it is in any file."""
