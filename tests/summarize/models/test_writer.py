"""The summarizer around a model: one repair, parts and their merging, and no call that nobody allowed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtool.model.records import Recipe
from memtool.model.summary import Request
from memtool.summarize import Ask, CallRefused, Options, Reply, SummaryFailed, check_draft
from memtool.summarize.models.prompt import MERGING, PROMPT_VERSION, Prompt
from memtool.summarize.models.window import size_problem, sizes_of
from memtool.summarize.models.writer import PromptTooLong
from tests.llm_server import ITEM, answer_to, data_of
from tests.summarize.models.honest import InProcess, honest, size
from tests.summarize.requests import cited_sections, cited_words, period, requests, segment

SMALL = Options(window_tokens=4_400, answer_tokens=600)
LONG = segment(
    *[("prompt" if at % 2 else "answer", f"Step {at} of the work. " * 60) for at in range(60)]
)
TWO = segment(("prompt", "Fix the login in auth.py"), ("answer", "I fixed the login."))


def numbers_in(prompts: list[Prompt]) -> set[int]:
    return {
        int(number)
        for prompt in prompts
        if MERGING not in prompt.turns[0]
        for number, _, _ in ITEM.findall(data_of(prompt.turns[0]))
    }


@given(request=requests, options=st.sampled_from([Options(), SMALL, Options(max_bullets=1)]))
def test_every_request_gets_a_valid_draft(request: Request, options: Options) -> None:
    endpoint = InProcess()
    draft = endpoint.draft(request, options)
    assert check_draft(request, draft) is draft
    assert len(draft.bullets) <= options.max_bullets
    assert draft == InProcess().draft(request, options)
    assert endpoint.opened == 0


@given(request=requests)
def test_every_item_is_shown_and_every_prompt_is_within_the_window(request: Request) -> None:
    endpoint = InProcess()
    endpoint.draft(request, SMALL)
    items = {item.number for section in request.sections for item in section.items}
    assert numbers_in(endpoint.prompts) == items
    assert max(map(size, endpoint.prompts)) + SMALL.answer_tokens <= SMALL.window_tokens


def test_parts_are_merged_and_their_citations_carried_through() -> None:
    endpoint = InProcess()
    request = segment(*[("answer", f"Step {at} of the work. " * 60) for at in range(200)])
    draft = endpoint.draft(request, SMALL)
    merges = [prompt for prompt in endpoint.prompts if MERGING in prompt.turns[0]]
    assert len(endpoint.prompts) > 20
    assert len(merges) > 1  # the merge was too long itself
    assert merges[-1] is endpoint.prompts[-1]
    cited = {citation.number for bullet in draft.bullets for citation in bullet.citations}
    assert len(cited) > len(draft.bullets)
    assert all(words.startswith("Step") for each in cited_words(request, draft) for words in each)


def test_a_period_of_many_children_is_merged_too() -> None:
    request = period(
        *[(f"app s{at}", "Work", tuple("abcde" * 30 for _ in range(5))) for at in range(80)]
    )
    draft = check_draft(request, InProcess().draft(request, SMALL))
    assert len(cited_sections(request, draft)) > 1


def test_a_bad_answer_is_mended_once() -> None:
    answers = iter(["Sure, I will do that.", ""])

    def model(prompt: Prompt) -> str:
        return next(answers) or honest(prompt)

    endpoint = InProcess(model)
    check_draft(TWO, endpoint.draft(TWO))
    first, second = endpoint.prompts
    assert second.turns[0] == first.turns[0]
    assert second.turns[1] == "Sure, I will do that."
    assert "cannot be used: it holds no whole JSON object" in second.turns[2]


def test_a_second_bad_answer_fails_the_node_with_the_reason() -> None:
    endpoint = InProcess(lambda _: "Sure, I\nwill do that.")
    with pytest.raises(SummaryFailed, match=r"no whole JSON object.*\(Sure, I will do that\.\)"):
        endpoint.draft(TWO)
    assert len(endpoint.prompts) == 2


@pytest.mark.parametrize("text", ["", " ", "x" * 100_000, "語" * 100_000, "\ud800"])
def test_a_repair_is_within_the_window_and_has_no_empty_turn(text: str) -> None:
    endpoint = InProcess(lambda _: text)
    request = segment(("prompt", "word " * 1_500))
    with pytest.raises(SummaryFailed):
        endpoint.draft(request, SMALL)
    assert max(map(size, endpoint.prompts)) + SMALL.answer_tokens <= SMALL.window_tokens
    assert all(turn.strip() for prompt in endpoint.prompts for turn in prompt.turns)


def test_a_cut_off_answer_is_asked_to_be_shorter() -> None:
    class Cut(InProcess):
        async def ask(self, prompt: Prompt) -> Reply:
            self.prompts.append(prompt)
            return Reply('{"title": "Fix', 10, prompt.answer_tokens)

    endpoint = Cut()
    with pytest.raises(SummaryFailed, match="answer_tokens"):
        endpoint.draft(TWO)
    assert "so write less" in endpoint.prompts[1].turns[2]


def test_too_many_bullets_are_refused_first_and_cut_then() -> None:
    answer = json.loads(answer_to(""))
    answer["bullets"] = [{"text": f"bullet {at}", "cites": [1]} for at in range(9)]
    endpoint = InProcess(lambda _: json.dumps(answer))
    assert len(endpoint.draft(TWO, Options(max_bullets=3)).bullets) == 3
    assert len(endpoint.prompts) == 2


def test_a_request_without_items_makes_no_call() -> None:
    endpoint = InProcess()
    with pytest.raises(SummaryFailed, match="nothing to summarize"):
        endpoint.draft(segment())
    assert endpoint.prompts == []


@pytest.mark.parametrize("window", [2_800, 6_000, 20_000])
def test_an_endpoint_with_a_smaller_window_gets_smaller_parts(window: int) -> None:
    endpoint = InProcess(window=window)
    draft = check_draft(LONG, endpoint.draft(LONG))
    assert draft.bullets
    assert numbers_in(endpoint.prompts) == set(range(1, 61))


def test_an_endpoint_that_finds_all_too_long_ends_it() -> None:
    with pytest.raises(PromptTooLong):
        InProcess(window=100).draft(LONG)


def test_an_endpoint_that_finds_every_merge_too_long_ends_it() -> None:
    class NoMerges(InProcess):
        async def ask(self, prompt: Prompt) -> Reply:
            if MERGING in prompt.turns[0]:
                raise PromptTooLong("too long")
            return Reply(honest(prompt))

    with pytest.raises(PromptTooLong):
        NoMerges().draft(LONG, SMALL)


def test_a_model_that_never_gets_shorter_ends_all_the_same() -> None:
    def model(prompt: Prompt) -> str:
        answer = json.loads(answer_to(prompt.turns[0]))
        for bullet in answer["bullets"]:
            bullet["text"] = "\U0001f600" * 400
        answer["title"] = "\U0001f600" * 120
        return json.dumps(answer)

    endpoint = InProcess(model)
    check_draft(LONG, endpoint.draft(LONG, SMALL))
    assert len(endpoint.prompts) < 400


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
        endpoint.draft(LONG, SMALL, calls)
    assert len(endpoint.prompts) == most
    assert endpoint.opened == 0


def test_estimates_cover_prompt_and_answer() -> None:
    endpoint, calls = InProcess(), Metered(1)
    endpoint.draft(TWO, None, calls)
    assert calls.estimates == [size(endpoint.prompts[0]) + 2_000]


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
