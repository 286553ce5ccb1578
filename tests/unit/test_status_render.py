"""What `wazuh-dfn status` shows of a report, on a console of a known width."""

import datetime as dt
import io

import pytest
from rich.console import Console

from support.health_reports import NOW, healthy, history, just_started, unhealthy
from wazuh_dfn.health.report import Checkpoint, Counts, RatePoint
from wazuh_dfn.status.distances import rates_between, unsaved_bytes, unsettled_bytes
from wazuh_dfn.status.formatting import bar, printable, sparkline, told_bytes, told_duration, told_rate
from wazuh_dfn.status.key_value_lines import as_line
from wazuh_dfn.status.terminal_report import shown, shown_as_stale


def printed(what, *, width=80, terminal=False):
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal, highlight=False)
    console.print(what)
    return console.file.getvalue()


def words(text):
    return " ".join(text.split())


def test_a_healthy_report_is_whole_and_fits_into_80_columns_and_24_lines():
    text = printed(shown(healthy()))
    lines = text.splitlines()
    assert len(lines) <= 23, "the prompt needs one"
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("HEALTHY  wazuh-dfn 1.0.0, up 3 d 4 h, 85.2 MiB  2026-03-14 ")
    for expected in (
        "1,234,567 read = 1,200,000 not relevant + 34,001 delivered + 2 dead-lettered + 564 in flight",
        "180/s read, 37.3/s delivered, 2.5/s dead-lettered",
        "delivered over 1 h, at most 50.7/s",
        "connected; acknowledged 0.4 s ago; delay 1.2 s median, 3.9 s p95; a batch takes 24 ms",
        "reading /var/ossec/logs/alerts/alerts.json read to 46.1 MiB, up to date",
        "checkpoint saved 0.6 s ago, 7.81 KiB behind, 116 KiB read, not settled",
        "feedback connected; 12 sent, 0 dropped",
        "kafka running 0 ███░░░░░ 3 of 8",
        "monitor running 0",
    ):
        assert expected in words(text)
    assert "not balanced" not in text


@pytest.mark.parametrize(("days", "is_told"), [(59, True), (61, False)])
def test_the_certificate_that_runs_out_first_is_told_two_months_before(days, is_told):
    report = healthy()
    ends = {"client": NOW + dt.timedelta(days=days), "broker": NOW + dt.timedelta(days=900)}
    delivery = report.delivery.model_copy(update={"certificates": ends})
    text = words(printed(shown(report.model_copy(update={"delivery": delivery}))))
    assert (f"certificates are valid until {ends['client']:%Y-%m-%d} (client)" in text) == is_told


def test_a_broken_report_tells_everything_that_is_wrong_and_what_to_do():
    text = words(printed(shown(unhealthy())))
    for expected in (
        "UNHEALTHY",
        "! The broker kafka.example.org:443 refuses our certificate (expired on 2026-03-01): put a new one in place of dfn.dfn_cert.",
        "(not balanced!)",
        "unavailable; acknowledged 1 h 30 min ago; TLS: certificate expired",
        "read to 3 GiB, 5 GiB not read yet",
        "1 MiB in a deleted file, lost if the daemon crashes",
        "alerts.json can't be read (Permission denied): let the daemon's user read it.",
        "not saved yet; No space left on device: free some space.",
        "unavailable; 3 sent, 4,711 dropped; connection refused",
        "kafka hanging 7 ████████ 8 of 8",
        "kafka failed 1 min 35 s ago: BrokerUnavailableError: <script>",
    ):
        assert expected in text


def test_texts_of_a_report_neither_command_the_terminal_nor_count_as_markup():
    text = printed(shown(unhealthy()), terminal=True, width=200)
    assert r"[red]see\x1b[31m[/red]" in text


def test_what_is_not_known_yet_is_left_out():
    text = words(printed(shown(just_started())))
    assert "delivery not connected reading no file yet checkpoint not saved yet feedback off;" in text
    assert "None" not in text
    assert "rates" not in text


def test_a_stale_report_says_why_and_how_old_it_is():
    text = words(printed(shown_as_stale(healthy(), "nobody answers", 12.2)))
    assert text.startswith("UNKNOWN nobody answers The following report is 12 s old. HEALTHY")


def test_rates_of_two_reports_are_over_the_time_between_them_and_none_over_a_restart():
    before = healthy()
    counts = before.counts.model_copy(update={"lines_read": before.counts.lines_read + 50, "delivered": before.counts.delivered + 5})
    after = before.model_copy(
        update={"uptime_seconds": before.uptime_seconds + 2, "time": NOW + dt.timedelta(seconds=2), "counts": counts},
    )
    assert rates_between(before, after) == RatePoint(at=after.time, lines_read=25, delivered=2.5, dead_lettered=0)
    assert rates_between(before, before) is None
    assert rates_between(before, just_started()) is None
    assert "25/s read, 2.5/s delivered" in printed(shown(after, rates_between(before, after)))


def test_distances_within_one_file_only():
    report = healthy()
    assert unsaved_bytes(report) == 8_000
    assert unsettled_bytes(report) == 118_382
    elsewhere = report.reading.model_copy(update={"acked_through_file": "alerts.json.1"})
    assert unsettled_bytes(report.model_copy(update={"reading": elsewhere})) is None
    ahead = Checkpoint(saved_offset=report.reading.acked_through + 1)
    assert unsaved_bytes(report.model_copy(update={"checkpoint": ahead})) is None, "of the file before"
    elsewhere = report.checkpoint.model_copy(update={"saved_file": "/var/ossec/logs/alerts/2026/Mar/ossec-alerts-13.json"})
    assert unsaved_bytes(report.model_copy(update={"checkpoint": elsewhere})) is None, "of the file before, and smaller"
    same = report.checkpoint.model_copy(update={"saved_file": report.reading.file})
    assert unsaved_bytes(report.model_copy(update={"checkpoint": same})) == 8_000


def test_the_line_has_the_names_of_the_report_and_quotes_what_has_spaces():
    line = as_line(unhealthy(problems=('a "b"', "c=ä")), history()[-1])
    assert line.startswith("time=2026-03-14T09:26:53+00:00 status=unhealthy lines_read=812000 not_relevant=790000 ")
    assert "balanced=false lines_per_second=180.22 delivered_per_second=37.3 lag_bytes=5368709120 delivery=unavailable" in line
    assert r'restarts=7 problems="a \"b\"; c=\u00e4"' in line
    assert "problems" not in as_line(healthy())


@pytest.mark.parametrize(
    ("value", "told"),
    [(None, "-"), (0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1_048_575, "1024 KiB"), (48_318_382, "46.1 MiB"), (2**43, "8.0 TiB")],
)
def test_bytes(value, told):
    assert told_bytes(value) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "-"),
        (-0.1, "0.0 s"),
        (0.024, "24 ms"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (3_661, "1 h 1 min"),
        (86_400, "1 d"),
        (90_000, "1 d 1 h"),
    ],
)
def test_durations(value, told):
    assert told_duration(value) == told


def test_rates():
    assert [told_rate(value) for value in (0, 0.0123, 9.87654, 12_345.6)] == ["0/s", "0.0123/s", "9.88/s", "12,346/s"]


def test_bars_and_sparklines():
    assert bar(0, 8) == "░░░░░░░░"
    assert bar(1, 1_024) == "█░░░░░░░", "a little is not nothing"
    assert bar(9, 8) == "████████"
    assert sparkline([0, 0], 10) == "▁▁"
    assert sparkline([0, 4, 8], 10) == "▁▅█"
    assert sparkline([*[1] * 50, *[8] * 50], 4) == "▂▂██"
    assert printable("a\x1b[0m\nb\u202ec") == r"a\x1b[0m\nb\u202ec"


def test_counts_that_do_not_balance_are_red():
    counts = Counts(lines_read=1, not_relevant=0, delivered=0, dead_lettered=0, in_flight=0, balanced=False)
    assert "\x1b[31m (not balanced!)" in printed(shown(healthy(counts=counts)), terminal=True)
