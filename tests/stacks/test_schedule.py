"""Spans as schedules: a cron expression fires exactly as often, and where there is none, an interval is given."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from croniter import croniter
from zenml.client import Client

from stacks.schedule import cron, schedule, schedules

EXPRESSIBLE = [60, 300, 600, 1800, 3600, 7200, 6 * 3600, 12 * 3600, 86400]


@pytest.mark.parametrize("every", EXPRESSIBLE)
def test_a_cron_expression_fires_that_often(every: int) -> None:
    expression = cron(every)
    assert expression is not None
    turns = croniter(expression, datetime(2024, 1, 31, 0, 0, 1, tzinfo=UTC))
    moments = [turns.get_next(datetime) for _ in range(2 * 86400 // every + 2)]
    assert {b - a for a, b in pairwise(moments)} == {timedelta(seconds=every)}
    assert schedule(every).cron_expression == expression


@pytest.mark.parametrize("every", [90, 420, 5400, 7 * 3600, 2 * 86400])
def test_what_the_clock_cannot_say_is_an_interval(every: int) -> None:
    assert cron(every) is None
    assert schedule(every).interval_second == timedelta(seconds=every)


def test_the_local_orchestrator_has_no_clock() -> None:
    assert Client().active_stack_model.name == "default" and not schedules()
