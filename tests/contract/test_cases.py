"""Cases whose answers Dagger's own tests and sources state, asked by the unmodified client. Runs on any session.

With DAGGER_SESSION_PORT and DAGGER_SESSION_TOKEN set it asks that session, else an engine of ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import anyio
import dagger
import pytest

from .cases import EVERY
from .cases.table import Case, Fails

AT_ONCE = 8
SECONDS = 300.0

pytestmark = [pytest.mark.needs("root"), pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def answers(request: pytest.FixtureRequest, environ: dict[str, str]) -> Mapping[str, object]:
    """What the session answers to the cases that were selected; an error is an answer."""
    wanted = [item.callspec.params["case"] for item in request.session.items if _is_case(item)]  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DAGGER_SESSION_PORT", "DAGGER_SESSION_TOKEN"):
            patch.setenv(name, environ[name])
        return anyio.run(_ask, wanted)


def _is_case(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and item.originalname == test_an_answer_is_dagger_s.__name__


async def _ask(cases: Sequence[Case]) -> Mapping[str, object]:
    found: dict[str, object] = {}
    limit = anyio.CapacityLimiter(AT_ONCE)

    async def one(dag: dagger.Client, case: Case) -> None:
        async with limit:
            try:
                with anyio.fail_after(SECONDS):
                    found[case.name] = await case.ask(dag)
            except Exception as error:  # noqa: BLE001 (whatever it is, its case says whether it should be)
                found[case.name] = error

    async with dagger.Connection() as dag, anyio.create_task_group() as group:
        for case in cases:
            group.start_soon(one, dag, case)
    return found


@pytest.mark.parametrize("case", EVERY, ids=[case.name for case in EVERY])
def test_an_answer_is_dagger_s(case: Case, answers: Mapping[str, object]):
    answer = answers[case.name]
    if isinstance(case.want, Fails):
        assert isinstance(answer, dagger.QueryError), f"{case.source}\nan error was expected, not {answer!r}"
        if case.want.exit_code is not None:
            assert isinstance(answer, dagger.ExecError), answer
            assert answer.exit_code == case.want.exit_code
        return
    assert not isinstance(answer, Exception), f"{case.source}\n{case.want!r} was expected, not {answer!r}"
    assert answer == case.want, case.source


def test_no_two_cases_have_one_name():
    assert [name for name, count in Counter(case.name for case in EVERY).items() if count > 1] == []
