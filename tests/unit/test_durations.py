"""Durations in buckets, quantiles of the last minutes, and the times of alerts that they are made of."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wazuh_dfn.delivery.durations import BATCH_BOUNDS, DELAY_BOUNDS, RECENT_SLOTS, SLOT_SECONDS, Durations
from wazuh_dfn.lines.alert_time import alert_time


def test_each_is_in_the_bucket_of_its_bound_and_what_is_above_all_in_the_last():
    durations = Durations((1, 2))
    durations.add([0, 1, 1.5, 2, 2.5, 1e9], at=0)
    assert durations.counts == [2, 2, 2]
    assert durations.sum_seconds == pytest.approx(1e9 + 7)


@pytest.mark.parametrize("bounds", [DELAY_BOUNDS, BATCH_BOUNDS])
@given(values=st.lists(st.floats(0, 1e6), min_size=1, max_size=50), share=st.sampled_from([0.5, 0.95]))
def test_a_quantile_is_in_the_bucket_of_the_true_one(bounds, values, share):
    durations = Durations(bounds)
    durations.add(values, at=0)
    (found,) = durations.recent_quantiles(1, share)
    true = sorted(values)[max(0, -(-len(values) * round(100 * share) // 100) - 1)]
    upper = next((bound for bound in bounds if true <= bound), bounds[-1])
    lower = max((bound for bound in bounds if bound < true), default=0)
    assert min(lower, bounds[-1]) <= found <= min(upper, max(values))


def test_after_an_outage_the_figures_are_none_that_was_longer_than_it():
    durations = Durations(DELAY_BOUNDS)
    durations.add((94 - second for second in range(94)), at=94)
    median, p95 = durations.recent_quantiles(95, 0.5, 0.95)
    assert 40 < median < 55
    assert 85 < p95 < 94


def test_quantiles_are_those_of_the_last_minutes_and_memory_stays_the_same():
    durations = Durations((1, 2))
    assert list(durations.recent_quantiles(0, 0.5, 0.95)) == [None, None]
    durations.add([0.5] * 10, at=0)
    durations.add([1.5] * 10, at=200)
    assert list(durations.recent_quantiles(200, 0.5, 0.95)) == [1, pytest.approx(1.45)]
    assert list(durations.recent_quantiles(SLOT_SECONDS * RECENT_SLOTS, 0.5)) == [1.25]
    assert list(durations.recent_quantiles(100_000, 0.5)) == [None]
    for at in range(0, 100_000, 7):
        durations.add([0.5], at=at)
    assert len(durations._recent) == RECENT_SLOTS


@pytest.mark.parametrize(
    ("given_time", "expected"),
    [
        ("2026-11-24T12:00:00.123+0000", datetime(2026, 11, 24, 12, 0, 0, 123_000, UTC)),
        ("2026-11-24T12:00:00.123+0530", datetime(2026, 11, 24, 6, 30, 0, 123_000, UTC)),
        ("2026-11-24T12:00:00-01:00", datetime(2026, 11, 24, 13, tzinfo=UTC)),
        ("2026-11-24T12:00:00Z", datetime(2026, 11, 24, 12, tzinfo=UTC)),
        ("0001-01-01T00:00:00+1400", datetime(1, 1, 1, tzinfo=UTC)),
        ("2026-11-24T12:00:00.123", None),
        ("9999-99-99T99:99:99+9999", None),
        ("soon", None),
        ("", None),
        (1_700_000_000, None),
        (None, None),
        ({}, None),
    ],
)
def test_the_time_of_an_alert_is_its_timestamp_or_none_and_never_an_error(given_time, expected):
    found = alert_time({"timestamp": given_time})
    assert found is None if expected is None else found == pytest.approx(expected.timestamp(), abs=51_000 if expected.year == 1 else 1e-3)


def test_an_alert_without_a_timestamp_has_no_time():
    assert alert_time({}) is None


@given(st.text())
def test_no_text_is_an_error(text):
    alert_time({"timestamp": text})
