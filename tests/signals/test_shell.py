"""Shell commands as agents write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memtool.model.actions import Commit, Issue, PullRequest, Run
from memtool.signals.shell import actions_of, commits_made, forge_links, outcome_of


def _commit(line: str) -> Commit:
    (found,) = [action for action in actions_of(line) if isinstance(action, Commit)]
    return found


HEREDOC = """cd /srv/shop && git add -A && git commit -m "$(cat <<'EOF'
tax: Round half even

Finance wants it; see "the minutes" (and $PATH).
EOF
)" && git push"""
FROM_STDIN = "git -C /srv/shop commit -F - <<EOF\ntax: Use Decimal\n\n- in one place\nEOF"
FROM_FILE = "cat > /tmp/msg <<'X'\ntax: Use Decimal\nX\ngit commit -F /tmp/msg"


@pytest.mark.parametrize(
    ("line", "subject"),
    [
        ("git commit -m 'tax: Use Decimal'", "tax: Use Decimal"),
        ('git commit -am "tax: Use Decimal"', "tax: Use Decimal"),
        ('git commit -a --message="tax: Use Decimal"', "tax: Use Decimal"),
        ("git commit -m 'tax: Use Decimal' -m 'Floats were wrong.'", "tax: Use Decimal"),
        ("git -c user.name=x commit -qm 'tax: Use Decimal' && git push", "tax: Use Decimal"),
        ("FOO=1 sudo git commit -m tax\\:\\ Use\\ Decimal", "tax: Use Decimal"),
        ("(cd shop; git commit -m 'tax: Use Decimal')", "tax: Use Decimal"),
        (HEREDOC, "tax: Round half even"),
        (FROM_STDIN, "tax: Use Decimal"),
        (FROM_FILE, "tax: Use Decimal"),
        ("git commit --amend --no-edit", ""),
        ('git commit -m "$MESSAGE_$(date)"', ""),
    ],
)
def test_the_subject_of_a_commit(line: str, subject: str) -> None:
    assert _commit(line).subject == subject


def test_the_body_is_what_follows_the_subject() -> None:
    assert _commit("git commit -m 'a: B' -m 'Why.'").body == "Why."
    assert _commit(HEREDOC).body.startswith("Finance wants it")


def test_amend_and_directory() -> None:
    assert _commit("git commit --amend -m 'a: B c'").amend
    assert _commit(FROM_STDIN).directory == "/srv/shop"
    assert _commit(HEREDOC).directory == "/srv/shop"


@pytest.mark.parametrize(
    "line",
    [
        "mkdir t && cd t && git init && git commit -m initial",
        "cd $(mktemp -d) && git commit -m initial",
        "git -C /tmp/try commit -m initial",
    ],
)
def test_a_commit_of_a_repository_for_a_try_is_marked(line: str) -> None:
    assert _commit(line).scratch


@pytest.mark.parametrize(
    "line",
    [
        "git log --grep commit",
        "echo 'git commit -m x'",
        "git commit --dry-run -m x",
        "# git commit",
    ],
)
def test_what_is_no_commit(line: str) -> None:
    assert not [action for action in actions_of(line) if isinstance(action, Commit)]


@pytest.mark.parametrize(
    ("line", "action"),
    [
        (
            "gh pr create --draft --title 'Use Decimal' --body \"$(cat <<'E'\n- a\nE\n)\"",
            PullRequest(verb="opened", title="Use Decimal"),
        ),
        ("gh pr merge 99 --squash", PullRequest(verb="merged", number=99)),
        (
            "gh pr view https://github.com/me/shop/pull/7",
            PullRequest(
                verb="seen", number=7, url="https://github.com/me/shop/pull/7", repository="me/shop"
            ),
        ),
        ("gh pr comment 85 --body 'Fixed in 96'", PullRequest(verb="commented", number=85)),
        ("glab mr create -t 'Use Decimal'", PullRequest(verb="opened", title="Use Decimal")),
        ("gh issue create -t 'PDF rounds'", Issue(verb="opened", title="PDF rounds")),
        ("gh issue close 12", Issue(verb="closed", number=12)),
    ],
)
def test_pull_requests_and_issues(line: str, action: object) -> None:
    assert actions_of(line) == (action,)


@pytest.mark.parametrize(
    ("line", "purpose"),
    [
        ("go test ./... 2>&1 | tail -20", "test"),
        ("cd web && npm run test:unit", "test"),
        ("uv run pytest -q tests", "test"),
        ("python -m pytest", "test"),
        ("timeout 60 cargo test --all", "test"),
        ("CI=1 make check", "test"),
        ("mise run lint", "lint"),
        ("golangci-lint run", "lint"),
        (".venv/bin/ruff check", "lint"),
        ("npm run build", "build"),
        ("git reset --hard HEAD~1", "undo"),
        ("ps aux", ""),
    ],
)
def test_what_a_command_is_for(line: str, purpose: str) -> None:
    runs = [action for action in actions_of(line) if isinstance(action, Run)]
    assert purpose in {run.purpose for run in runs}


@pytest.mark.parametrize(
    ("output", "is_error", "outcome"),
    [
        ("ok  \tshop/tax\t0.2s", False, "passed"),
        ("--- FAIL: TestTax (0.00s)\nFAIL", False, "failed"),
        ("3 passed in 0.1s", False, "passed"),
        ("1 failed, 3 passed", False, "failed"),
        ("0 issues.", False, "passed"),
        ("3 issues:", False, "failed"),
        ("", True, "failed"),
        ("done", False, ""),
    ],
)
def test_how_a_command_ended(output: str, is_error: bool, outcome: str) -> None:
    assert outcome_of(output, is_error=is_error) == outcome


@pytest.mark.parametrize(
    ("line", "hidden"),
    [
        ("pytest -q", False),
        ("cd /srv/shop && pytest -q", False),
        ("export CI=1; uv run pytest && echo ok", False),
        ("npm ci; npm test", False),
        ("(cd web && npm test)", False),
        ("set -o pipefail; pytest | tail -3", False),
        ("set -euo pipefail\ncd web\npytest 2>&1 | tee log | tail -3\necho done", False),
        ("cat data | pytest", False),
        ("pytest >log 2>&1", False),
        ("pytest | tail -3", True),
        ("pytest 2>&1 | grep -c passed", True),
        ("set -o pipefail; pytest | grep passed", True),
        ("pytest |& tail", True),
        ("pytest; echo $?", True),
        ("pytest\necho done", True),
        ("pytest || true", True),
        ("pytest && git push", True),
        ("npm ci && npm test", True),
        ("make build || make test", True),
        ("set -e; make build; make test", True),
        ("pytest &", True),
        ("(cd web && npm test) | tail", True),
        ("{ pytest; } || true", True),
    ],
)
def test_whose_exit_code_it_is(line: str, hidden: bool) -> None:
    runs = [action for action in actions_of(line) if isinstance(action, Run)]
    tests = [run.hidden for run in runs if run.purpose == "test"]
    assert tests[:1] == [hidden]


@pytest.mark.parametrize(
    ("output", "is_error", "outcome"),
    [
        ("ok  \tshop/tax\t0.2s", False, ""),
        ("test result: ok. 5 passed; 0 failed", False, ""),
        ("==== 412 passed in 3.2s ====", False, "passed"),
        ("==== 412 passed in 3.2s ====", True, "passed"),
        ("2 failed, 410 passed", False, "failed"),
        ("", True, ""),
        ("collected 3 items", False, ""),
    ],
)
def test_how_a_command_ended_whose_exit_code_is_hidden(
    output: str, is_error: bool, outcome: str
) -> None:
    assert outcome_of(output, is_error=is_error, hidden=True) == outcome


def test_what_git_and_the_forge_report() -> None:
    output = "[main (root-commit) 1a2b3c4] first\n[alice/fix-tax 5d6e7f8] tax: Use Decimal\n 1 file"
    assert [(made.branch, made.hash, made.subject) for made in commits_made(output)] == [
        ("main", "1a2b3c4", "first"),
        ("alice/fix-tax", "5d6e7f8", "tax: Use Decimal"),
    ]
    assert forge_links("https://github.com/me/shop/pull/99\n") == [
        ("https://github.com/me/shop/pull/99", "me/shop", 99)
    ]


@given(st.text(alphabet="abgit commit-m'\"$()`\\\n;&|<>EOF #{}", max_size=200))
def test_any_line_is_read(line: str) -> None:
    assert isinstance(actions_of(line), tuple)
