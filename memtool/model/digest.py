"""Digests and the ids made of them; the framing is the one of docs/store-format.md."""

from __future__ import annotations

from hashlib import blake2b

DIGEST_BYTES = 16


def digest_of(*parts: str | int | bytes) -> str:
    """Return 32 hex digits over the parts, each framed by its length, so that no two lists of parts collide."""
    framed: list[bytes] = []
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        framed += (len(data).to_bytes(8, "big"), data)
    return blake2b(b"".join(framed), digest_size=DIGEST_BYTES).hexdigest()
