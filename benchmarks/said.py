"""Counts what people said in transcripts of Claude Code and Codex, and compares it with memtool's events.

    .venv/bin/python benchmarks/said.py DIRECTORY [DIRECTORY ...]

It reads the JSON by itself and shares no code with the reader. Exit code 1 where anything was lost or invented.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from memtool.agents.reading import read_chunks
from memtool.model.records import Event

INJECTED = re.compile(
    r"<(system-reminder|local-command-caveat|ide_\w+|[\w-]*notification)\b[^>]*>.*?</\1>",
    re.DOTALL,
)
NOT_TYPED = (
    "[Request interrupted by user",
    "Caveat: The messages below",
    "This session is being continued from a previous conversation",
    "Operation stopped by hook",
    "Unknown slash command:",
    "Unknown skill:",
    "Stop hook feedback:",
    "<local-command-stdout>",
    "<local-command-stderr>",
    "<bash-stdout>",
    "<bash-stderr>",
)
SHOWN = 100
"""How much of a text is compared: secrets further on are masked by memtool."""
SAID = "the user said:\n"


def objects(path: Path) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder()
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        position = 0
        while position < len(line):
            try:
                value, position = decoder.raw_decode(line, position)
            except ValueError:
                break
            if isinstance(value, dict):
                yield value


def blocks(record: dict[str, Any]) -> list[dict[str, Any]]:
    content = (record.get("message") or {}).get("content") or []
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def typed(text: str) -> str:
    """Return what a person typed of a text, as one line of words."""
    text = text.strip()
    if text.startswith(NOT_TYPED):
        return ""
    if name := re.search(r"<command-name>(.*?)</command-name>", text, re.DOTALL):
        given = re.search(r"<command-args>(.*?)</command-args>", text, re.DOTALL)
        text = f"/{name[1].strip().removeprefix('/')} {given[1] if given else ''}"
    elif shell := re.search(r"<bash-input>(.*?)</bash-input>", text, re.DOTALL):
        text = f"! {shell[1]}"
    return " ".join(INJECTED.sub("", text).split())


def answered(text: str) -> str:
    """Return what a person chose or rejected in the result of a call."""
    if text.startswith(("The user doesn't want to", "Error: The user doesn't want to")):
        said = text.partition(SAID)[2].strip()
        return "Rejected" if not said or said.startswith("The user wants to clarify") else said
    if text.startswith("User has answered your questions: "):
        return "answered"
    return "Plan" if text.startswith("User has approved your plan") else ""


def expected(path: Path) -> Counter[str]:
    """Return what was said in the file: each record once, queued words only where they came no other way."""
    found: dict[str, str] = {}
    queued: list[tuple[str, str]] = []
    for number, record in enumerate(objects(path)):
        uuid = record.get("uuid") or str(number)
        if record.get("type") == "queue-operation" and record.get("operation") == "enqueue":
            queued.append((f"{uuid} queued", typed(str(record.get("content")))))
        if record.get("subtype") == "local_command":
            words = typed(str(record.get("content")))
            found |= {uuid: words} if words else {}
        if record.get("type") != "user" or record.get("isCompactSummary"):
            continue
        texts = [block.get("text", "") for block in blocks(record) if block.get("type") == "text"]
        is_own = not record.get("isMeta") and not record.get("isSidechain")
        words = " ".join(filter(None, map(typed, texts))) if is_own else ""
        images = any(block.get("type") in ("image", "document") for block in blocks(record))
        if words or (is_own and images and not texts):
            found[uuid] = f"{words} [image]".strip() if images else words
        for at, block in enumerate(blocks(record)):
            content = block.get("content") if block.get("type") == "tool_result" else ""
            if isinstance(content, str) and (words := answered(content)):
                found[f"{uuid} {at}"] = " ".join(words.split())
    spoken = set(found.values())
    found |= {key: words for key, words in queued if words and words not in spoken}
    return Counter(words[:SHOWN] for words in found.values())


def expected_of_codex(path: Path) -> Counter[str]:
    """Return the prompts of a rollout: each is an event of its own, after what an editor put before it."""
    said = (record.get("payload") or {} for record in objects(path))
    prompts = [one.get("message", "") for one in said if one.get("type") == "user_message"]
    typed_texts = [text.rpartition("## My request for Codex:")[2] for text in prompts]
    return Counter(" ".join(text.split())[:SHOWN] for text in typed_texts)


def actual(path: Path) -> Counter[str]:
    """Return what memtool takes as said by a person, in the same form."""
    events = {
        record.id: record
        for chunk in read_chunks(path)
        for record in chunk.records
        if isinstance(record, Event)
        and (record.role == "user" or record.kind == "session_end")
        and record.kind != "title"
        and "output" not in record.metadata
    }
    texts = {" ".join(e.text.split()) for e in events.values() if "queued" not in e.metadata}
    found: Counter[str] = Counter()
    for event in events.values():
        text = " ".join(event.text.split())
        action = event.metadata.get("actions", "")
        if '"do":"question"' in action:
            text = "answered"
        elif '"do":"plan"' in action and text.startswith("Plan "):
            text = "Plan"
        if "queued" not in event.metadata or text not in texts:
            found[text[:SHOWN]] += 1
    return found


def main(places: list[str]) -> int:
    """Compare all files."""
    total: Counter[str] = Counter()
    files = [path for place in places for path in sorted(Path(place).rglob("*.jsonl"))]
    for path in files:
        is_codex = next(objects(path), {}).get("type") == "session_meta"
        want = expected_of_codex(path) if is_codex else expected(path)
        have = actual(path)
        for what, texts in (("lost", want - have), ("invented", have - want)):
            for text, count in texts.items():
                total[what] += count
                print(f"{what} {count}: {path.name}: {text[:160]}")
        total["said"] += want.total()
    print(
        f"{len(files)} files: {total['said']} said, {total['lost']} lost, {total['invented']} invented"
    )
    return 1 if total["lost"] or total["invented"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
