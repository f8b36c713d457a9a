"""The summarizer around a model: threads in, threads out, one repair, and no call that nobody allowed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from memtool.model.levels import Level
from memtool.model.records import Recipe
from memtool.model.summary import Request
from memtool.model.threads import Item, Reference, Thread
from memtool.summarize import Ask, CallRefused, Options, Reply, SummaryFailed, check_draft, make
from memtool.summarize.models.prompt import PROMPT_VERSION, Prompt
from memtool.summarize.models.window import size_problem, sizes_of
from memtool.summarize.models.writer import PromptTooLong
from tests.llm_server import ITEM, THREAD, answer_to, data_of
from tests.summarize.models.honest import InProcess, honest, size
from tests.summarize.requests import (
    day,
    day_requests,
    period_requests,
    proof,
    segment_requests,
    thread,
    written,
)

SMALL = Options(window_tokens=4_800, answer_tokens=600)
LOGIN = thread(1, ("title", "Fix the login"), ("result", "The token was never refreshed"))
TAX = thread(2, ("ask", "Use Decimal in tax"), ("decision", "Half-even, as finance says"))
MANY = day(*(thread(n, ("ask", f"Do task {n}"), ("result", f"Did {n}")) for n in range(1, 13)))


def threads_in(prompts: list[Prompt]) -> int:
    return sum(len(THREAD.findall(data_of(prompt.turns[0]))) for prompt in prompts)


@given(request=day_requests(), options=st.sampled_from([Options(), SMALL, Options(max_bullets=1)]))
def test_every_day_gets_a_valid_draft(request: Request, options: Options) -> None:
    endpoint = InProcess()
    draft = endpoint.draft(request, options)
    assert check_draft(request, draft) is draft
    assert [each.id for each in draft.threads] == [each.id for each in request.threads]
    for each, before in zip(draft.threads, request.threads, strict=True):
        told = [point for point in each.points if point.kind != "open"]
        assert not each.written or len(told) <= options.max_bullets
        proofs = {proof for point in before.points for proof in point.proofs}
        proofs.update(before.headlines[0].proofs)
        assert {proof for point in each.points for proof in point.proofs} <= proofs
    assert draft == InProcess().draft(request, options)
    assert endpoint.opened == 0


@given(request=day_requests())
def test_every_prompt_is_within_the_window_and_every_text_is_asked_for_once(
    request: Request,
) -> None:
    endpoint = InProcess()
    draft = endpoint.draft(request, SMALL)
    assert threads_in(endpoint.prompts) == sum(bool(each.written) for each in draft.threads)
    assert max(map(size, endpoint.prompts)) + SMALL.answer_tokens <= SMALL.window_tokens


@given(request=st.one_of(segment_requests(), period_requests()))
def test_all_but_days_is_made_by_the_rules_without_a_call(request: Request) -> None:
    free = InProcess().writer().without_call(request)
    assert free == written(make("extractive", Options()), request)


def test_a_model_writes_headline_and_points_and_cites_what_it_read() -> None:
    draft = InProcess().draft(day(LOGIN))
    (told,) = draft.threads
    assert told.headline == "Fix the login"
    assert [point.text for point in told.points] == [
        "The token was never refreshed → The token was never refreshed"
    ]
    assert told.points[0].proofs == LOGIN.points[0].proofs
    assert (told.points[0].kind, told.points[0].weight) == ("result", LOGIN.points[0].weight)
    assert draft.title == "Fix the login"


def test_state_references_open_items_files_and_amounts_stay_as_the_rules_found_them() -> None:
    item = Item("k", "Test with power cuts", 150, (proof(1, 9, "Test with power cuts"),))
    commit = Reference("commit", "1a2b", "Fix the login", 140, "made", here=True)
    there = replace(
        thread(1, ("ask", "Fix the login"), ("result", "Fixed"), ("open", item.text)),
        state="open",
        items=(item,),
        references=(commit,),
        since=4,
    )
    (told,) = InProcess().draft(day(there)).threads
    changed = replace(told, headlines=there.headlines, points=there.points, written="")
    assert changed == there
    assert [point for point in told.points if point.kind == "open"] == [there.points[1]]


def test_a_title_that_the_person_gave_stays() -> None:
    mine = thread(1, ("title", "My login work"), ("result", "Fixed"), rank=0)

    def model(prompt: Prompt) -> str:
        return honest(prompt).replace("My login work", "Somebody's work")

    (told,) = InProcess(model).draft(day(mine)).threads
    assert told.headline == "My login work"


def test_unchanged_threads_are_not_sent_again() -> None:
    endpoint = InProcess()
    before = endpoint.draft(day(LOGIN, TAX)).threads
    same = day(LOGIN, TAX, before=before)
    assert endpoint.writer().without_call(same) == InProcess().draft(day(LOGIN, TAX))
    more = replace(TAX, points=(*TAX.points, *thread(2, ("ask", "x"), ("done", "Ran it")).points))
    endpoint.prompts.clear()
    again = endpoint.draft(day(LOGIN, more, before=before))
    (prompt,) = endpoint.prompts
    assert "Fix the login" not in prompt.turns[0]
    assert again == InProcess().draft(day(LOGIN, more))


def test_what_the_model_did_not_read_costs_nothing_when_it_changes() -> None:
    before = InProcess().draft(day(LOGIN)).threads
    moved = replace(LOGIN, state="delivered", edits=9, files=(("other.py", 9),))
    draft = InProcess().writer().without_call(day(moved, before=before))
    assert draft is not None
    (told,) = draft.threads
    assert (told.state, told.edits, told.headline) == ("delivered", 9, before[0].headline)


@pytest.mark.parametrize("changes", [{"model": "other"}, {"settings": "x"}, {"prompt": "x"}])
def test_another_recipe_writes_all_texts_again(changes: dict[str, str]) -> None:
    before = InProcess().draft(day(LOGIN, TAX)).threads
    other = InProcess().writer()
    other = replace(other, recipe=replace(other.recipe, **changes))
    assert other.without_call(day(LOGIN, TAX, before=before)) is None


def test_only_threads_that_a_day_shows_are_sent() -> None:
    many = [thread(n, ("ask", f"Do {n} " + ("word " * 20).strip())) for n in range(1, 30)]
    endpoint = InProcess()
    draft = endpoint.draft(day(*many))
    assert 0 < threads_in(endpoint.prompts) < 12
    assert len(draft.threads) == 29


def test_a_day_without_threads_needs_no_call() -> None:
    draft = InProcess().writer().without_call(day())
    assert draft is not None
    assert draft.threads == ()


def test_a_bad_answer_is_mended_once() -> None:
    answers = iter(["Sure, I will do that.", ""])

    def model(prompt: Prompt) -> str:
        return next(answers) or honest(prompt)

    endpoint = InProcess(model)
    endpoint.draft(day(LOGIN))
    first, second = endpoint.prompts
    assert second.turns[0] == first.turns[0]
    assert second.turns[1] == "Sure, I will do that."
    assert "cannot be used: it holds no whole JSON object" in second.turns[2]


def test_a_second_bad_answer_fails_the_node_with_the_reason() -> None:
    endpoint = InProcess(lambda _: "Sure, I\nwill do that.")
    with pytest.raises(SummaryFailed, match=r"no whole JSON object.*\(Sure, I will do that\.\)"):
        endpoint.draft(day(LOGIN))
    assert len(endpoint.prompts) == 2


@pytest.mark.parametrize("text", ["", " ", "x" * 100_000, "語" * 100_000, "\ud800"])
def test_a_repair_is_within_the_window_and_has_no_empty_turn(text: str) -> None:
    endpoint = InProcess(lambda _: text)
    with pytest.raises(SummaryFailed):
        endpoint.draft(MANY, SMALL)
    assert max(map(size, endpoint.prompts)) + SMALL.answer_tokens <= SMALL.window_tokens
    assert all(turn.strip() for prompt in endpoint.prompts for turn in prompt.turns)


def test_a_cut_off_answer_is_asked_to_be_shorter() -> None:
    class Cut(InProcess):
        async def ask(self, prompt: Prompt) -> Reply:
            self.prompts.append(prompt)
            return Reply('{"threads": [{"thr', 10, prompt.answer_tokens)

    endpoint = Cut()
    with pytest.raises(SummaryFailed, match="answer_tokens"):
        endpoint.draft(day(LOGIN))
    assert "so write less" in endpoint.prompts[1].turns[2]


def with_points(*points: tuple[str, list[int]]) -> InProcess:
    """Return a model that always writes these points of the one thread."""

    def model(prompt: Prompt) -> str:
        answer = json.loads(answer_to(prompt.turns[0]))
        answer["threads"][0]["points"] = [{"text": text, "cites": n} for text, n in points]
        return json.dumps(answer)

    return InProcess(model)


def told_by(endpoint: InProcess, options: Options | None = None) -> list[str]:
    (told,) = endpoint.draft(day(LOGIN), options).threads
    return [point.text for point in told.points]


def test_too_many_points_are_refused_first_and_cut_then() -> None:
    endpoint = with_points(*((f"point {at}", [2]) for at in range(9)))
    assert told_by(endpoint, Options(max_bullets=3)) == ["point 0", "point 1", "point 2"]
    assert len(endpoint.prompts) == 2


def test_what_cites_nothing_is_asked_for_again_and_dropped_then() -> None:
    endpoint = with_points(("All is well", []), ("The token was stale", [2]))
    assert told_by(endpoint) == ["The token was stale"]
    assert len(endpoint.prompts) == 2


def test_a_prompt_that_is_too_long_is_asked_in_halves() -> None:
    endpoint = InProcess()
    endpoint.draft(MANY)
    widest = max(map(size, endpoint.prompts))
    narrow = InProcess(window=widest - 40)
    assert narrow.draft(MANY) == InProcess().draft(MANY)
    assert len(narrow.prompts) > len(endpoint.prompts)


def test_an_endpoint_that_finds_all_too_long_ends_it() -> None:
    with pytest.raises(PromptTooLong):
        InProcess(window=100).draft(MANY)


class Metered:
    """Allows so many calls, and notes the estimates."""

    def __init__(self, most: int) -> None:
        self.most, self.estimates = most, list[int]()

    async def __call__(self, estimate: int, ask: Ask) -> Reply:
        if len(self.estimates) == self.most:
            raise CallRefused("the budget is used up")
        self.estimates.append(estimate)
        return await ask()


@pytest.mark.parametrize("most", [0, 1, 3])
def test_a_refused_call_passes_through_and_nothing_is_asked_after_it(most: int) -> None:
    endpoint, calls = InProcess(), Metered(most)
    with pytest.raises(CallRefused, match="used up"):
        endpoint.draft(MANY, SMALL, calls)
    assert len(endpoint.prompts) == most
    assert endpoint.opened == 0


def test_estimates_cover_prompt_and_answer() -> None:
    endpoint, calls = InProcess(), Metered(1)
    endpoint.draft(day(LOGIN), None, calls)
    assert calls.estimates == [size(endpoint.prompts[0]) + 2_000]


@given(request=day_requests(), options=st.sampled_from([Options(), SMALL]))
def test_the_price_is_what_it_takes(request: Request, options: Options) -> None:
    endpoint = InProcess()
    price = endpoint.writer(options).price(request)
    before: tuple[Thread, ...] = endpoint.draft(request, options).threads
    assert price.calls == len(endpoint.prompts)
    assert sum(map(size, endpoint.prompts)) <= price.tokens
    assert endpoint.writer(options).price(replace(request, before=before)).calls == 0
    assert endpoint.writer(options).price(replace(request, level=Level.WEEK)).calls == 0


def test_the_recipe_names_what_shapes_the_text() -> None:
    recipe = InProcess().writer().recipe
    assert recipe == Recipe("test", "m", PROMPT_VERSION, "max_bullets=5 window=32000 answer=2000")
    for other in (Options(max_bullets=4), Options(window_tokens=8_000), Options(answer_tokens=900)):
        assert InProcess().writer(other).recipe != recipe


@pytest.mark.parametrize("window", [4_000, 8_000, 32_000, 200_000, 2_000_000])
@pytest.mark.parametrize("answer", [200, 1_000, 2_000, 16_000, 64_000])
def test_a_window_that_is_too_small_is_said_with_one_that_is_not(window: int, answer: int) -> None:
    options = Options(window_tokens=window, answer_tokens=answer)
    problem = size_problem(options)
    if problem is None:
        assert sizes_of(options).room < window - answer
        return
    least = int(problem.hint.split()[3])
    assert least > window
    assert size_problem(Options(window_tokens=least, answer_tokens=answer)) is None


def test_every_signal_that_is_sent_has_its_number() -> None:
    endpoint = InProcess()
    endpoint.draft(day(LOGIN, TAX))
    (prompt,) = endpoint.prompts
    assert [number for number, _, _ in ITEM.findall(data_of(prompt.turns[0]))] == list("1234")
