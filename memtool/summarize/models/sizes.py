"""How much of a model's window the data of one prompt may take. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from memtool.errors import ConfigError
from memtool.model.segmenting import tokens_of
from memtool.summarize import Options
from memtool.summarize.models.prompt import SYSTEM
from memtool.summarize.models.split import LEAST_TOKENS

_FRAME = tokens_of(SYSTEM) + 300
"""What a prompt holds beside the data and a bad answer: the rules, the frames of two turns."""
_KEPT_PART = 16
"""Of a bad answer a repair shows at most this part of the window."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What shapes an answer, and what bounds a prompt."""

    most: int
    """How many bullets an entry has at most."""
    window_tokens: int
    answer_tokens: int
    kept_tokens: int
    """How much of a bad answer is shown again, to be mended."""
    room: int
    """How many tokens of data one prompt may hold."""

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
    """Return what is wrong where the window does not hold an answer and enough to summarise beside it."""
    if sizes_of(options).room >= LEAST_TOKENS:
        return None
    free = -(-(LEAST_TOKENS + _FRAME) * 4 // 3)
    # The part of the window that a repair may take is added, rounded up.
    least = (free + options.answer_tokens) * _KEPT_PART // (_KEPT_PART - 1) + 1
    return ConfigError(
        f"summarizer.window_tokens is {options.window_tokens}: with answers of up to {options.answer_tokens} tokens "
        "too little is left for what is to be summarised",
        hint=f"set it to {least} or more, if the model has that much, or summarizer.answer_tokens to less",
    )
