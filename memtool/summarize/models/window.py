"""How much a model reads and writes at once, and the threads of a day in batches that fit. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from memtool.errors import ConfigError
from memtool.model.segmenting import tokens_of
from memtool.summarize import Options
from memtool.summarize.models.prompt import SYSTEM
from memtool.summarize.models.threads import THREAD_TOKENS, Unwritten

_FRAME = tokens_of(SYSTEM) + 300
"""What a prompt holds beside the data and a bad answer: the rules, the frames of two turns."""
_KEPT_PART = 16
"""Of a bad answer a repair shows at most this part of the window."""


class Sizes(Struct, frozen=True):
    """What shapes an answer, and what bounds a prompt."""

    most: int
    """How many points of a thread a model writes at most."""
    window_tokens: int
    answer_tokens: int
    kept_tokens: int
    """How much of a bad answer is shown again, to be corrected."""
    room: int
    """How many tokens of data one prompt may hold."""

    @property
    def together(self) -> int:
        """How many threads one answer has room for."""
        return max(1, self.answer_tokens // (_HEADLINE_TOKENS + _POINT_TOKENS * self.most))

    @property
    def words(self) -> str:
        """The settings that shape the text, for the recipe."""
        return f"max_bullets={self.most} window={self.window_tokens} answer={self.answer_tokens}"


def sizes_of(options: Options) -> Sizes:
    """Return the sizes that follow from the settings; the room may be too small (`size_problem`).

    A quarter is left free: code and many scripts have more tokens than a quarter of their bytes.
    """
    kept = min(options.answer_tokens, options.window_tokens // _KEPT_PART)
    free = options.window_tokens - options.answer_tokens - kept
    return Sizes(
        most=options.max_bullets,
        window_tokens=options.window_tokens,
        answer_tokens=options.answer_tokens,
        kept_tokens=kept,
        room=free * 3 // 4 - _FRAME,
    )


def size_problem(options: Options) -> ConfigError | None:
    """Return what is wrong where the window does not hold an answer and enough to summarize beside it."""
    if sizes_of(options).room >= LEAST_TOKENS:
        return None
    free = -(-(LEAST_TOKENS + _FRAME) * 4 // 3)
    # The part of the window that a repair may take is added, rounded up.
    least = (free + options.answer_tokens) * _KEPT_PART // (_KEPT_PART - 1) + 1
    return ConfigError(
        f"summarizer.window_tokens is {options.window_tokens}: with answers of up to {options.answer_tokens} tokens "
        "too little is left for what is to be summarized",
        hint=f"set it to {least} or more, if the model has that much, or summarizer.answer_tokens to less",
    )


LEAST_TOKENS = THREAD_TOKENS + 50
"""The smallest prompt holds one thread."""
_HEADLINE_TOKENS, _POINT_TOKENS = 50, 50
"""What a model writes for a headline and for a point, in trials, with its citations."""


def batches(threads: Sequence[Unwritten], sizes: Sizes) -> list[tuple[Unwritten, ...]]:
    """Return the threads in order, in batches that one prompt and one answer hold."""
    found: list[list[Unwritten]] = []
    left = 0
    for thread in threads:
        cost = thread.tokens + _PLACE_TOKENS
        if not found or cost > left or len(found[-1]) == sizes.together:
            found.append([])
            left = sizes.room
        found[-1].append(thread)
        left -= cost
    return [tuple(batch) for batch in found]


_PLACE_TOKENS = 5
"""What "# thread N" takes."""


def answer_estimate(batch: Sequence[Unwritten], sizes: Sizes) -> int:
    """Return about how many tokens an answer on these threads has."""
    points = sum(min(sizes.most, len(thread.points)) for thread in batch)
    return len(batch) * _HEADLINE_TOKENS + points * _POINT_TOKENS
