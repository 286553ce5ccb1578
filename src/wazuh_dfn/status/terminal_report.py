"""A health report for the terminal: complete, in 80 columns, and in 24 lines while there are no problems."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from rich.console import Group, RenderableType
from rich.styled import Styled
from rich.table import Table
from rich.text import Text

from wazuh_dfn.health.report import HealthReport, MailboxDepth, RatePoint
from wazuh_dfn.status.distances import unsaved_bytes, unsettled_bytes
from wazuh_dfn.status.formatting import bar, printable, sparkline, told_bytes, told_duration, told_rate

_VERDICT_STYLES = {"healthy": "bold green", "degraded": "bold yellow", "unhealthy": "bold red"}
_STATE_STYLES = {
    "connected": "green",
    "running": "green",
    "restarting": "yellow",
    "not connected": "yellow",
    "unavailable": "red",
    "hanging": "red",
}
_SPARKS = 32
_CERTIFICATES_SHOWN_WITHIN = timedelta(days=60)


def shown(report: HealthReport, rates: RatePoint | None = None) -> RenderableType:
    """Return a rich renderable of the report.

    `rates` replace the latest ones of the history. Markup in the report's texts is not interpreted.
    """
    return Group(_headline(report), *_problems(report), _facts(report, rates), Text(), _actors(report), *_failures(report))


def shown_as_stale(report: HealthReport, reason: str, age: float) -> RenderableType:
    """Return a renderable of a report that is `age` seconds old, with the `reason` why there is no newer one."""
    return Group(
        shown_as_unknown(reason),
        Text(f"The following report is {told_duration(age)} old.", style="bold"),
        Styled(shown(report), "dim not bold"),
    )


def shown_as_unknown(reason: str) -> RenderableType:
    """Return what is shown without a report."""
    return Text.assemble(("UNKNOWN", "bold magenta"), f"  {printable(reason)}")


def _headline(report: HealthReport) -> Text:
    memory = "" if report.resident_bytes is None else f", {told_bytes(report.resident_bytes)}"
    about = f"  wazuh-dfn {printable(report.version)}, up {told_duration(report.uptime_seconds)}{memory}"
    return Text.assemble(
        (report.status.upper(), _VERDICT_STYLES[report.status]), about, (f"  {report.time.astimezone():%Y-%m-%d %H:%M:%S}", "dim")
    )


def _problems(report: HealthReport) -> Iterator[RenderableType]:
    for problem in report.problems:
        yield _rows([("!", Text(printable(problem), style=_VERDICT_STYLES[report.status].removeprefix("bold ")))])


def _facts(report: HealthReport, rates: RatePoint | None) -> Table:
    rows = [("lines", _lines(report))]
    latest = rates or (report.history[-1] if report.history else None)
    if latest:
        told = (
            f"{told_rate(latest.lines_read)} read, {told_rate(latest.delivered)} delivered, {told_rate(latest.dead_lettered)} dead-lettered"
        )
        rows.append(("rates", Text(told)))
    if len(report.history) > 1:
        rows.append(("", _history(report)))
    rows.append(("delivery", _delivery(report)))
    rows += (("reading", text) for text in _reading(report))
    if report.dead_letters.kept or report.dead_letters.removed:
        rows.append(("dead letters", _dead_letters(report)))
    rows += [("checkpoint", _checkpoint(report)), ("feedback", _feedback(report))]
    unique = [(label if place == 0 or rows[place - 1][0] != label else "", text) for place, (label, text) in enumerate(rows)]
    return _rows(unique)


def _rows(rows: list[tuple[str, Text]]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in rows:
        table.add_row(label, text)
    return table


def _lines(report: HealthReport) -> Text:
    counts = report.counts
    text = Text(f"{counts.lines_read:,} read = {counts.not_relevant:,} not relevant + {counts.delivered:,} delivered + ")
    text.append(f"{counts.dead_lettered:,} dead-lettered", style="yellow" if counts.dead_lettered else "")
    text.append(f" + {counts.in_flight:,} in flight")
    return text if counts.balanced else text.append(" (not balanced!)", style="red")


def _dead_letters(report: HealthReport) -> Text:
    letters = report.dead_letters
    kept = ", ".join(f"{count:,} {stage}" for stage, count in (letters.kept or {}).items()) or "none"
    text = Text(f"{kept} in the folder")
    if letters.removed:
        text.append(f", {sum(letters.removed.values()):,} removed to make room", style="yellow" if letters.unseen else "")
    return text


def _history(report: HealthReport) -> Text:
    values = [point.delivered for point in report.history]
    seconds = (report.history[-1].at - report.history[0].at).total_seconds()
    told = f" delivered over {told_duration(seconds)}, at most {told_rate(max(values))}"
    return Text.assemble((sparkline(values, _SPARKS), "cyan"), (told, "dim"))


def _delivery(report: HealthReport) -> Text:
    delivery = report.delivery
    parts = []
    if delivery.seconds_since_acknowledgement is not None:
        parts.append(f"acknowledged {told_duration(delivery.seconds_since_acknowledgement)} ago")
    if delivery.delay_seconds_median is not None:
        parts.append(f"delay {told_duration(delivery.delay_seconds_median)} median, {told_duration(delivery.delay_seconds_p95)} p95")
    if delivery.batch_seconds_median is not None:
        parts.append(f"a batch takes {told_duration(delivery.batch_seconds_median)}")
    whose, at = min(delivery.certificates.items(), key=lambda each: each[1], default=("", None))
    if at is not None and at - report.time < _CERTIFICATES_SHOWN_WITHIN:
        parts.append(f"certificates are valid until {at:%Y-%m-%d} ({whose})")
    return _state(delivery.state, *parts, problem=delivery.problem)


def _reading(report: HealthReport) -> Iterator[Text]:
    reading = report.reading
    yield Text(printable(reading.file) if reading.file else "no file yet")
    if reading.read_to is not None:
        lag = f"{told_bytes(reading.lag_bytes)} not read yet" if reading.lag_bytes else "up to date" if reading.lag_bytes == 0 else ""
        yield Text(", ".join(filter(None, (f"read to {told_bytes(reading.read_to)}", lag))))
    if reading.unnamed_bytes:
        yield Text(f"{told_bytes(reading.unnamed_bytes)} in a deleted file, lost if the daemon crashes", style="yellow")
    for problem in reading.problems:
        yield Text(printable(problem), style="red")


def _checkpoint(report: HealthReport) -> Text:
    checkpoint = report.checkpoint
    age, unsaved, unsettled = checkpoint.seconds_since_save, unsaved_bytes(report), unsettled_bytes(report)
    parts = ["not saved yet" if age is None else f"saved {told_duration(age)} ago"]
    if unsaved is not None:
        parts.append(f"{told_bytes(unsaved)} behind" if unsaved else "up to date")
    if unsettled is not None:
        parts.append(f"{told_bytes(unsettled)} read, not settled")
    text = Text(", ".join(parts))
    return text.append(f"; {printable(checkpoint.problem)}", style="red") if checkpoint.problem else text


def _feedback(report: HealthReport) -> Text:
    feedback = report.feedback
    return _state(feedback.state, f"{feedback.sent:,} sent, {feedback.dropped:,} dropped", problem=feedback.problem)


def _state(state: str, *parts: str, problem: str | None) -> Text:
    text = Text("; ".join((state, *parts)))
    text.stylize(_STATE_STYLES.get(state, ""), 0, len(state))
    return text.append(f"; {printable(problem)}", style="red") if problem else text


def _actors(report: HealthReport) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("actor", "state", "restarts", "mailbox"):
        table.add_column(heading, justify="right" if heading == "restarts" else "left")
    mailboxes = {mailbox.name: mailbox for mailbox in report.mailboxes}
    for actor in report.actors:
        state = Text(actor.state, style=_STATE_STYLES.get(actor.state, ""))
        restarts = Text(str(actor.restarts), style="yellow" if actor.restarts else "")
        table.add_row(Text(printable(actor.name)), state, restarts, _mailbox(mailboxes.pop(actor.name, None)))
    for mailbox in mailboxes.values():
        table.add_row(Text(printable(mailbox.name)), "", "", _mailbox(mailbox))
    return table


def _mailbox(mailbox: MailboxDepth | None) -> Text:
    if mailbox is None:
        return Text()
    style = "yellow" if mailbox.depth >= mailbox.capacity else "cyan"
    return Text.assemble((bar(mailbox.depth, mailbox.capacity), style), f" {mailbox.depth} of {mailbox.capacity}")


def _failures(report: HealthReport) -> Iterator[Text]:
    for actor in report.actors:
        if actor.last_failure:
            at = actor.last_failure_at
            age = f" {told_duration((report.time - at).total_seconds())} ago" if at else ""
            yield Text(f"{printable(actor.name)} failed{age}: {printable(actor.last_failure)}", overflow="fold")
