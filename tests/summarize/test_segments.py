"""What the extractive summarizer makes of conversations: asks, outcomes, titles and keywords."""

from __future__ import annotations

from memtool.model.summary import Draft
from memtool.summarize import Options, check_draft, make
from tests.summarize.requests import cited_words, segment, written

ADDED = "I've added a per-user lock around `refresh_token()`, so two tabs no longer refresh twice."
REFRESH = (
    (
        "prompt",
        "Hi! Could you please fix the refresh token race in `auth/session.py`? It logs people out.",
    ),
    ("thinking", "The user wants a fix."),
    ("answer", "Let me look at the session code first."),
    ("tool_call", "Read: /src/app/auth/session.py"),
    ("tool_result", "def refresh(token): ..."),
    ("answer", "I see the problem. Now I'll add a lock:"),
    ("tool_call", "Edit: /src/app/auth/session.py\nnew_string: lock\nold_string: pass"),
    ("answer", "All tests pass. Let me also check the docs."),
    (
        "answer",
        f"Done. {ADDED}\n\n| file | change |\n|---|---|\n| auth/session.py | lock |\n",
    ),
    ("prompt", "thanks, commit that"),
    ("tool_call", 'Bash: git commit -m "Lock the token refresh per user"'),
    ("answer", "Committed as 4be11d0."),
)


def draft_of(*said: tuple[str, str], most: int = 5) -> Draft:
    request = segment(*said)
    return check_draft(request, written(make("extractive", Options(max_bullets=most)), request))


def test_a_bullet_tells_what_was_asked_and_what_came_of_it() -> None:
    first = draft_of(*REFRESH).bullets[0].text
    assert first.startswith("Fix the refresh token race in auth/session.py → Added a per-user lock")


def test_a_bullet_cites_the_words_of_the_request_and_of_the_result() -> None:
    words = cited_words(segment(*REFRESH), draft_of(*REFRESH))
    asked = "Could you please fix the refresh token race in `auth/session.py`?"
    assert words[0] == [asked, ADDED]


def test_the_title_names_the_work() -> None:
    assert draft_of(*REFRESH).title.startswith("Fix the refresh token race in auth/session.py")


def test_the_keywords_are_what_one_would_search_for() -> None:
    assert {"token", "session.py"} <= set(draft_of(*REFRESH).keywords)
    assert not {"please", "let", "done"} & set(draft_of(*REFRESH).keywords)


def test_what_an_agent_says_on_its_way_is_no_bullet() -> None:
    said = " ".join(bullet.text for bullet in draft_of(*REFRESH).bullets)
    for noise in ("Let me", "Now I'll", "|", "`", "thinking"):
        assert noise not in said


def test_a_prompt_that_only_says_go_on_belongs_to_the_request_before_it() -> None:
    draft = draft_of(
        ("prompt", "Add a retry to the upload job"),
        ("answer", "Shall I use exponential back-off?"),
        ("prompt", "yes"),
        ("tool_call", "Edit: /src/app/upload.py\nnew_string: x"),
        ("answer", "The upload job now retries five times with exponential back-off."),
    )
    assert [b.text for b in draft.bullets] == [
        "Add a retry to the upload job → The upload job now retries five times with exponential back-off."
    ]


def test_a_pasted_plan_is_called_by_its_heading() -> None:
    plan = "Implement the following plan:\n\n# Move sessions to Redis\n\n## Context\n\nThe table is slow."
    draft = draft_of(
        ("prompt", plan), ("answer", "Sessions now live in Redis; the table is dropped.")
    )
    assert draft.title == "Move sessions to Redis"
    assert draft.bullets[0].text.startswith("Move sessions to Redis → ")


def test_a_pasted_log_does_not_hide_what_was_asked() -> None:
    log = "\n".join(
        f"2026-01-02T10:00:{s:02}Z [ERR] 0x{s:04x} pool={s}/{s} conn#{s}" for s in range(40)
    )
    draft = draft_of(
        ("prompt", f"Why does the worker lose its database connection?\n\n```\n{log}\n```"),
        ("answer", "The cause is the idle timeout of the pool: it closes connections after 30 s."),
    )
    assert draft.title == "Why does the worker lose its database connection"
    assert "idle timeout" in draft.bullets[0].text


def test_a_turn_that_was_cut_off_tells_the_files_it_changed() -> None:
    draft = draft_of(
        ("prompt", "Split the billing module"),
        ("answer", "Let me start with the models."),
        ("tool_call", "Edit: /src/app/billing/models.py\nnew_string: x"),
        ("tool_call", "Write: /src/app/billing/rates.py\ncontent: x"),
    )
    assert draft.bullets[0].text == "Split the billing module → Edited models.py, rates.py"


def test_a_request_without_any_answer_says_that_it_is_open() -> None:
    draft = draft_of(("prompt", "Please profile the start-up of the indexer"))
    assert draft.bullets[0].text == "Profile the start-up of the indexer → …"
    assert draft.title == "Profile the start-up of the indexer"


def test_a_continuation_without_prompts_tells_what_was_found_and_done() -> None:
    draft = draft_of(
        ("compaction", "This session is being continued from a previous conversation."),
        ("tool_call", "Read: /src/app/cache.py"),
        ("answer", "Found it! The default TTL is 0, which means entries never expire."),
        ("tool_call", "Edit: /src/app/cache.py\nnew_string: x"),
        ("answer", "Fixed the cache: entries now expire after ten minutes."),
    )
    told = [bullet.text for bullet in draft.bullets]
    assert "Fixed the cache: entries now expire after ten minutes." in told
    assert "continued from" not in " ".join((draft.title, *told))
    assert "cache" in draft.title


def test_tools_alone_are_told_by_what_they_did() -> None:
    draft = draft_of(("tool_call", "Bash: make release\ndescription: x"), ("tool_result", "ok"))
    assert draft.bullets[0].text == "Ran make release"
    assert draft.title == "Ran make release"


def test_more_turns_than_bullets_keep_the_weightiest_ones() -> None:
    turns = [
        said
        for name in ("parser", "lexer", "printer", "linter", "packer")
        for said in (
            ("prompt", f"Rewrite the {name} without recursion"),
            ("answer", f"I've rewritten the {name} with an explicit stack."),
        )
    ]
    draft = draft_of(*turns, ("prompt", "ok bye then"), ("answer", "Bye."), most=3)
    assert len(draft.bullets) == 3
    assert "bye" not in " ".join(bullet.text for bullet in draft.bullets).lower()


def test_commits_are_told() -> None:
    call = (
        "Bash: git add -A && git commit -m \"$(cat <<'EOF'\nIndex events by day\n\nBody\nEOF\n)\""
    )
    draft = draft_of(("tool_call", call), ("tool_result", "[main 1234567]"))
    request = segment(("tool_call", call), ("tool_result", "[main 1234567]"))
    assert "Committed: Index events by day" in [bullet.text for bullet in draft.bullets]
    assert ["Index events by day"] in cited_words(request, draft)


def test_silence_is_called_silence() -> None:
    draft = draft_of(("session_start", ""), ("session_end", " "))
    assert draft.title == "Session opened, nothing said"
    assert draft.keywords == ()


def test_other_scripts_are_read() -> None:
    draft = draft_of(
        ("prompt", "認証トークンの更新に失敗します。原因を調べてください。"),
        ("answer", "原因はトークンの有効期限でした。更新処理を修正しました。"),
    )
    assert "認証" in draft.keywords
    assert "トークン" in draft.keywords
    assert " → " in draft.bullets[0].text


def test_secrets_that_were_masked_are_no_keywords() -> None:
    draft = draft_of(
        ("prompt", "Rotate the key [redacted:aws-key] of the mailer"), ("answer", "Done.")
    )
    assert not [word for word in draft.keywords if "redacted" in word or "aws" in word]
    assert "redacted" not in draft.title


def test_what_only_might_be_is_no_outcome() -> None:
    draft = draft_of(
        ("prompt", "Uploads fail at night"),
        (
            "answer",
            "The quota job keeps uploads out from 2 to 4 o'clock. When it is switched off, old uploads would fail.",
        ),
    )
    assert draft.bullets[0].text.endswith("→ The quota job keeps uploads out from 2 to 4 o'clock.")


def test_a_finding_is_told_where_the_agent_was_still_at_work() -> None:
    draft = draft_of(
        ("prompt", "Why does the importer skip rows with umlauts?"),
        (
            "answer",
            "The importer decodes rows as ASCII and skips rows that it cannot decode. Let me look.",
        ),
        ("tool_call", "Read: /src/app/importer.py"),
    )
    assert draft.bullets[0].text.endswith(
        "→ The importer decodes rows as ASCII and skips rows that it cannot decode."
    )


def test_a_single_remark_without_request_does_not_hide_the_edits() -> None:
    draft = draft_of(
        ("tool_call", "Edit: /src/app/lock.py\nnew_string: x"),
        (
            "answer",
            "The errcheck one is from my change, because I suppressed the error of the lock file.",
        ),
    )
    assert "Edited lock.py" in [bullet.text for bullet in draft.bullets]
    assert draft.title == "Edited lock.py"


def test_a_title_does_not_end_in_half_a_question() -> None:
    text = "Add tracing to the start-up to find out why every single invocation of it is so slow"
    assert draft_of(("prompt", text)).title == "Add tracing to the start-up"
