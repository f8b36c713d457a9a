"""More claims than bullets: they are put together by project, then by theme, then by time. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from memtool.summarize.extractive.periods.claims import Claim, in_order, sections_of
from memtool.summarize.extractive.periods.standing import Standing
from memtool.summarize.text.words import GENERIC_KEYS

MOST_SECTIONS = 24
"""Children that one group may speak for: as many as one bullet can prove."""
_FEWEST_OF_THEME = 2


def grouped(claims: Sequence[Claim], most: int) -> list[list[Claim]]:
    """Return groups that hold every claim once, about `most` of them, in order of time, routine last."""
    groups = [[claim] for claim in claims] if len(claims) <= most else _by_project(claims, most)
    small = [part for group in groups for part in _provable(group)]
    return sorted(small, key=lambda group: (_is_routine(group), group[0].position))


def _is_routine(group: Sequence[Claim]) -> bool:
    return all(claim.standing is Standing.ROUTINE for claim in group)


def _by_project(claims: Sequence[Claim], most: int) -> list[list[Claim]]:
    projects: dict[str, list[Claim]] = {}
    for claim in claims:
        projects.setdefault(claim.project, []).append(claim)
    if len(projects) > most:
        return _pieces(claims, most)
    shares = dict.fromkeys(projects, 1)
    for _ in range(most - len(projects)):
        fullest = max(projects, key=lambda name: len(projects[name]) * 1000 // shares[name])
        shares[fullest] += 1
    return [group for name, own in projects.items() for group in _of_project(own, shares[name])]


def _of_project(claims: Sequence[Claim], share: int) -> list[list[Claim]]:
    """Return groups of one project: what is routine by itself, what has a theme in common, the rest by time."""
    if len(claims) <= share:
        return [[claim] for claim in claims]
    routine = [claim for claim in claims if claim.standing is Standing.ROUTINE]
    left = [claim for claim in claims if claim.standing is not Standing.ROUTINE]
    groups = [routine] if routine and left and share > 1 else []
    left = left if groups else list(claims)
    while len(left) > share - len(groups) > 1:
        theme = _theme(left, share - len(groups))
        if not theme:
            break
        groups.append([claim for claim in left if theme in claim.subject])
        left = [claim for claim in left if theme not in claim.subject]
    return groups + _pieces(left, share - len(groups))


def _theme(claims: Sequence[Claim], share: int) -> str:
    """Return the commonest word of several claims that makes a group of a fit size, or ""."""
    even = -(-len(claims) // share)
    fewest, most = max(2 * even // 3, _FEWEST_OF_THEME), max(3 * even // 2, _FEWEST_OF_THEME)
    counts: dict[str, int] = {}
    for claim in claims:
        for name in sorted(claim.subject):
            counts[name] = counts.get(name, 0) + (name not in GENERIC_KEYS)
    fitting = {name: count for name, count in counts.items() if fewest <= count <= most}
    return max(fitting, key=lambda name: fitting[name], default="")


def _pieces(members: Sequence[Claim], count: int) -> list[list[Claim]]:
    """Return runs of nearly equal length, none empty."""
    count = max(min(count, len(members)), 1)
    bounds = [len(members) * at // count for at in range(count + 1)]
    runs = [list(members[bounds[at] : bounds[at + 1]]) for at in range(count)]
    return [run for run in runs if run]


def _provable(group: Sequence[Claim]) -> list[list[Claim]]:
    """Return the group, in parts if it speaks for more children than a bullet can prove."""
    children = len(sections_of(group))
    return [in_order(part) for part in _pieces(group, -(-children // MOST_SECTIONS))]
