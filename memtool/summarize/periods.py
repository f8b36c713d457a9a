"""The draft of a day, week, month or year: every child has its due, however many there are. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from memtool.core.levels import Level
from memtool.core.summary import Citation, Draft, DraftBullet, Request, Section
from memtool.summarize.keywords import Terms
from memtool.summarize.phrases import ARROW, topic
from memtool.summarize.plain import plain, shorten
from memtool.summarize.points import TEXT_LIMIT, Point, points_of, shown
from memtool.summarize.themes import title_of
from memtool.summarize.words import words

MOST_BULLETS = 12
MOST_NAMED = 4
"""Members of a group that its bullet names; all of them are cited."""
ITEMS_COUNTED = 12
"""Bullets of one child whose words are counted for keywords."""
_WORTH_ADDING = 3
_HEARD_BEFORE = 4
_PREFIX_LIMIT = 24


def summarize_period(request: Request, max_bullets: int) -> Draft:
    """Return a draft whose bullets together cite every child that has a bullet."""
    sections = [section for section in request.sections if section.items]
    terms = _terms(sections)
    points = points_of(sections, terms.weights())
    leads = _leads(points, len(sections))
    most = min(MOST_BULLETS, max(max_bullets, len(sections)))
    if len(leads) > most:
        groups = _groups(leads, sections, most)
    else:
        groups = [[point] for point in _filled(leads, points, most, max_bullets)]
    names = _project_names(request.level, sections)
    bullets = tuple(_bullet(group, names) for group in groups)
    return Draft(title_of(sections, terms.weights()), bullets, terms.best())


def _terms(sections: Sequence[Section]) -> Terms:
    """Return the words of all children; what many of them say counts most."""
    terms = Terms()
    for section in sections:
        said = [word for item in section.items[:ITEMS_COUNTED] for word in words(item.text)]
        terms.add([*section.keywords, *words(section.title), *said], 16)
    return terms


def _leads(points: list[Point], sections: int) -> list[Point]:
    """Return, in order of time, the weightiest point of each child, one point for all children that share it."""
    of_section: list[list[Point]] = [[] for _ in range(sections)]
    for point in points:
        for section in point.sections:
            of_section[section].append(point)
    heard: set[int] = set()
    leads: list[Point] = []
    for section, told in enumerate(of_section):
        if section not in heard:
            leads.append(max(told, key=lambda point: point.score))
            heard |= set(leads[-1].sections)
    return _in_order(leads)


def _in_order(points: list[Point]) -> list[Point]:
    return sorted(points, key=lambda point: point.position)


def _filled(leads: list[Point], points: list[Point], most: int, wished: int) -> list[Point]:
    """Return the leads and the weightiest other points, fewest of those children that were heard already."""
    chosen = list(leads)
    left = [point for point in points if point not in leads]
    said = [section for point in leads for section in point.sections]
    while left and len(chosen) < most:
        gains = [
            point.score - _HEARD_BEFORE * min(map(said.count, point.sections)) for point in left
        ]
        best = gains.index(max(gains))
        if len(chosen) >= wished and gains[best] < _WORTH_ADDING:
            break
        said += left[best].sections
        chosen.append(left.pop(best))
    return _in_order(chosen)


def _groups(leads: list[Point], sections: Sequence[Section], most: int) -> list[list[Point]]:
    """Return groups that hold every point: neighbours of one project as far as possible."""
    projects: dict[str, list[Point]] = {}
    for point in leads:
        projects.setdefault(sections[point.sections[0]].project, []).append(point)
    if len(projects) > most:
        return _pieces(leads, most)
    shares = dict.fromkeys(projects, 1)
    for _ in range(most - len(projects)):
        fullest = max(projects, key=lambda name: len(projects[name]) * 1000 // shares[name])
        shares[fullest] += 1
    groups = [group for name in projects for group in _pieces(projects[name], shares[name])]
    return sorted(groups, key=lambda group: group[0].position)


def _pieces(members: list[Point], count: int) -> list[list[Point]]:
    """Return runs of nearly equal length, none empty."""
    count = min(count, len(members))
    bounds = [len(members) * at // count for at in range(count + 1)]
    return [members[bounds[at] : bounds[at + 1]] for at in range(count)]


def _bullet(group: list[Point], names: list[str]) -> DraftBullet:
    """Return the bullet of a point, or of a group: it names the weightiest members and cites all of them."""
    prefix = names[group[0].sections[0]]
    text = shown(group[0]) if len(group) == 1 else _listed(group, TEXT_LIMIT - len(prefix))
    cited = dict.fromkeys(Citation(item.number) for point in group for item in point.items)
    return DraftBullet(shorten(prefix + text, TEXT_LIMIT), tuple(cited))


def _listed(group: list[Point], room: int) -> str:
    named = _in_order(sorted(group, key=lambda point: -point.score)[:MOST_NAMED])
    more = f" (and {len(group) - len(named)} more)" if len(group) > len(named) else ""
    each = (room - len(more)) // len(named) - 2
    return "; ".join(topic(point.text.partition(ARROW)[0], each) for point in named) + more


def _project_names(level: Level, sections: Sequence[Section]) -> list[str]:
    """Return a prefix for the bullets of each section: its project, where a day has several."""
    names = [_project_name(section.project) for section in sections]
    several = level is Level.DAY and len(set(names)) > 1
    return names if several else [""] * len(names)


def _project_name(project: str) -> str:
    """Return the last part of a project's path that a person named, as a prefix."""
    parts = [plain(part) for part in project.replace("\\", "/").split("/")]
    named = [part for part in parts if any(map(str.isalpha, part)) and not part.startswith(".")]
    return f"{shorten(named[-1], _PREFIX_LIMIT - 2)}: " if named else ""
