"""The ring of rates: what it averages over, and that it has an end."""

from datetime import UTC, datetime

import pytest

from wazuh_dfn.delivery.ledger import Accounting
from wazuh_dfn.health.history import RateHistory


def counts(lines, delivered=0, dead=0):
    return Accounting(lines, 0, delivered, dead, 0)


def add(history, at, *args):
    history.add(counts(*args), at=at, when=datetime.fromtimestamp(at, UTC))


def test_a_point_is_the_rate_since_the_one_before():
    history = RateHistory(3600, 1000)
    add(history, 100, 10, 4, 0)
    add(history, 110, 30, 5, 1)
    add(history, 130, 30, 25, 1)
    assert [(point.at.timestamp(), point.lines_read, point.delivered, point.dead_lettered) for point in history.points(130)] == [
        (110, 2, 0.1, 0.1),
        (130, 0, 1, 0),
    ]


def test_points_that_are_too_old_are_not_told():
    history = RateHistory(60, 1000)
    for at in range(0, 200, 10):
        add(history, at, at)
    assert [point.at.timestamp() for point in history.points(190)] == [140, 150, 160, 170, 180, 190]
    assert list(history.points(1000)) == []


@pytest.mark.parametrize(("retention", "most", "interval"), [(3600, 1000, 10), (3600, 60, 60), (604_800, 1000, 604.8)])
def test_fewer_points_cover_the_same_time(retention, most, interval):
    history = RateHistory(retention, most)
    assert history.interval_seconds == interval
    end = 2 * most + 1
    for number in range(end):
        add(history, number * interval, number)
    points = list(history.points((end - 1) * interval))
    assert len(points) == min(most, retention / interval)
