"""The draft of a day, week, month or year: every child has a bullet, what repeats is said once. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from memtool.core.levels import Level
from memtool.core.summary import Citation, Draft, DraftBullet, Item, Request, Section
from memtool.summarize.keywords import Terms, central
from memtool.summarize.phrases import topic
from memtool.summarize.plain import plain, shorten
from memtool.summarize.words import keys, overlap, words

TITLE_LIMIT = 70
TEXT_LIMIT = 160
MOST_BULLETS = 12
MOST_NAMED = 4
"""Members of a group that its bullet names; all of them are cited."""
ITEMS_READ = 12
"""Bullets of one child that are weighed: no summarizer of ours writes more."""
_SAME_PERCENT = 60
_SHORTEST_THEME = 16


@dataclass(frozen=True, slots=True)
class Point:
    """A bullet of a child, with the keys of its words and how much it weighs."""

    item: Item
    section: int
    text: str
    keys: frozenset[str]
    score: int


@dataclass(slots=True)
class Cluster:
    """Bullets that say the same; the last one speaks for all, since it knows how it ended."""

    points: list[Point]

    @property
    def lead(self) -> Point:
        """The one whose words are used."""
        return self.points[-1]

    @property
    def sections(self) -> set[int]:
        """The children that say so."""
        return {point.section for point in self.points}

    @property
    def score(self) -> int:
        """What is said on many days weighs more."""
        return self.lead.score + 6 * (len(self.sections) - 1)


def summarize_period(request: Request, max_bullets: int) -> Draft:
    """Return a draft whose bullets together cite every child that has a bullet."""
    sections = [section for section in request.sections if section.items]
    terms = _terms(sections)
    points = _points(sections, terms.weights())
    if len(sections) > MOST_BULLETS:
        told = [_group_bullet(group, points) for group in _groups(sections)]
    else:
        most = min(MOST_BULLETS, max(max_bullets, len(sections)))
        told = _bullets(_clusters(points), len(sections), most)
    title = _title(sections, terms.weights())
    return Draft(title, _prefixed(told, request, sections), terms.best())


def _terms(sections: Sequence[Section]) -> Terms:
    """Return the words of all children: a keyword of a child counts more than a word of its bullets."""
    terms = Terms()
    for section in sections:
        said = [word for item in section.items[:ITEMS_READ] for word in words(item.text)]
        terms.add([*section.keywords, *words(section.title), *said], 16)
    return terms


def _points(sections: Sequence[Section], weights: dict[str, int]) -> list[Point]:
    return [
        _point(item, at, place, weights)
        for at, section in enumerate(sections)
        for place, item in enumerate(section.items[:ITEMS_READ])
    ]


def _point(item: Item, section: int, place: int, weights: dict[str, int]) -> Point:
    text = plain(item.text) or "…"
    said = frozenset(keys(text))
    score = (
        central(said, weights)
        + 3 * (" → " in text)
        + 2 * (place == 0)
        - 6 * (len(said) < _FEW_KEYS)
    )
    return Point(item, section, text, said, score)


_FEW_KEYS = 3


def _clusters(points: list[Point]) -> list[Cluster]:
    """Return the bullets with those that repeat one another put together, in order of first mention."""
    clusters: list[Cluster] = []
    for point in points:
        for cluster in clusters:
            if point.section not in cluster.sections and _repeats(point, cluster.lead):
                cluster.points.append(point)
                break
        else:
            clusters.append(Cluster([point]))
    return clusters


def _repeats(one: Point, other: Point) -> bool:
    """Return whether two bullets say the same, or at least ask the same."""
    if one.text == other.text or _alike(one.keys, other.keys):
        return True
    asks = [frozenset(keys(point.text.partition(" → ")[0])) for point in (one, other)]
    return " → " in one.text and " → " in other.text and _alike(*asks)


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    return len(one & other) >= _FEW_KEYS and 100 * len(one & other) > _SAME_PERCENT * len(
        one | other
    )


def _bullets(clusters: list[Cluster], sections: int, most: int) -> list[tuple[Point, DraftBullet]]:
    """Return one bullet for each child first, then the weightiest, none from a child that had many."""
    said = [0] * sections
    chosen: list[Cluster] = []
    left = list(clusters)
    while left and len(chosen) < most:
        best = max(left, key=lambda cluster: _gain(cluster, said))
        left.remove(best)
        chosen.append(best)
        for section in best.sections:
            said[section] += 1
    chosen.sort(key=lambda cluster: cluster.points[0].item.number)
    return [(cluster.lead, _merged(cluster)) for cluster in chosen]


_NOT_YET_HEARD = 1_000
_HEARD_BEFORE = 4


def _gain(cluster: Cluster, said: list[int]) -> int:
    unheard = sum(said[section] == 0 for section in cluster.sections)
    heard = min(said[section] for section in cluster.sections)
    return _NOT_YET_HEARD * unheard + cluster.score - _HEARD_BEFORE * heard


def _merged(cluster: Cluster) -> DraftBullet:
    return DraftBullet(
        cluster.lead.text, tuple(Citation(point.item.number) for point in cluster.points)
    )


def _groups(sections: Sequence[Section]) -> list[list[int]]:
    """Return MOST_BULLETS groups that hold every child: neighbours of one project as far as possible."""
    projects: dict[str, list[int]] = {}
    for at, section in enumerate(sections):
        projects.setdefault(section.project, []).append(at)
    if len(projects) > MOST_BULLETS:
        return _pieces(list(range(len(sections))), MOST_BULLETS)
    shares = dict.fromkeys(projects, 1)
    for _ in range(MOST_BULLETS - len(projects)):
        fullest = max(projects, key=lambda name: len(projects[name]) * 1000 // shares[name])
        shares[fullest] += 1
    groups = [
        piece for name, members in projects.items() for piece in _pieces(members, shares[name])
    ]
    return sorted(groups)


def _pieces(members: list[int], count: int) -> list[list[int]]:
    """Return runs of nearly equal length, none empty."""
    count = min(count, len(members))
    bounds = [len(members) * at // count for at in range(count + 1)]
    return [members[start:end] for start, end in pairwise(bounds)]


def _group_bullet(group: list[int], points: Sequence[Point]) -> tuple[Point, DraftBullet]:
    """Return a bullet that names the weightiest of its members and cites all of them."""
    best = [
        max((p for p in points if p.section == at), key=lambda point: point.score) for at in group
    ]
    clusters = _clusters(best)
    named = sorted(clusters, key=lambda cluster: -cluster.score)[:MOST_NAMED]
    named.sort(key=lambda cluster: cluster.points[0].item.number)
    cited = tuple(Citation(point.item.number) for point in best)
    if len(clusters) == 1:
        return best[0], DraftBullet(clusters[0].lead.text, cited)
    more = f" (and {len(clusters) - len(named)} more)" if len(clusters) > len(named) else ""
    room = (TEXT_LIMIT - len(more) - _PREFIX_LIMIT) // len(named) - 2
    text = "; ".join(topic(cluster.lead.text.partition(" → ")[0], room) for cluster in named)
    return best[0], DraftBullet(text + more, cited)


_PREFIX_LIMIT = 24


def _prefixed(
    told: list[tuple[Point, DraftBullet]], request: Request, sections: Sequence[Section]
) -> tuple[DraftBullet, ...]:
    """Return the bullets, each with its project where a day has several."""
    several = request.level is Level.DAY and len({section.project for section in sections}) > 1
    names = [_project_name(section.project) if several else "" for section in sections]
    return tuple(
        DraftBullet(shorten(names[lead.section] + bullet.text, TEXT_LIMIT), bullet.citations)
        for lead, bullet in told
    )


def _project_name(project: str) -> str:
    """Return the last part of a project's path, as a prefix."""
    name = plain(project.replace("\\", "/").rstrip("/").rpartition("/")[2])
    return f"{shorten(name, _PREFIX_LIMIT - 2)}: " if name else ""


@dataclass(slots=True)
class _Theme:
    text: str
    keys: frozenset[str]
    score: int


def _title(sections: Sequence[Section], weights: dict[str, int]) -> str:
    """Return the main themes of the children, the weightiest first."""
    themes = sorted(_themes(sections, weights), key=lambda theme: -theme.score)
    title = ""
    for at, theme in enumerate(themes[:MOST_NAMED]):
        room = TITLE_LIMIT - len(title) - 3 * bool(title)
        if room < _SHORTEST_THEME:
            break
        alone = len(themes) == 1
        text = topic(theme.text, room if alone or at else min(room, _FIRST_THEME))
        title += f"{' · ' if title else ''}{text}"
    return title


_FIRST_THEME = 42


def _themes(sections: Sequence[Section], weights: dict[str, int]) -> list[_Theme]:
    themes: list[_Theme] = []
    for section in sections:
        for place, text in enumerate(_title_parts(section)):
            said = frozenset(keys(text))
            score = central(said, weights) + min(len(section.items), 6) - 4 * place
            _add_theme(themes, _Theme(text, said, score - 20 * (not said)))
    return themes


def _title_parts(section: Section) -> list[str]:
    parts = [part for part in plain(section.title).split(" · ") if part.strip()]
    return parts or [plain(section.items[0].text).partition(" → ")[0] or "…"]


def _add_theme(themes: list[_Theme], theme: _Theme) -> None:
    """Add the theme, or count it to the one that it repeats."""
    for other in themes:
        if theme.text == other.text or overlap(theme.keys, other.keys) > _SAME_PERCENT:
            other.score += 6
            return
    themes.append(theme)
