"""The ledger: every line is booked once, and the position moves only over what is settled."""

from dataclasses import replace
from random import Random

import pytest

from support.positions import position
from wazuh_dfn.delivery.ledger import CROWDED_CHUNKS, Accounting, Ledger

KINDS = ["windows", "fail2ban"]


def test_nothing_is_settled_before_anything_was_read():
    ledger = Ledger()
    assert ledger.acked_through is None
    assert ledger.accounting == Accounting(0, 0, 0, 0, 0)


def test_a_chunk_without_relevant_lines_is_settled_when_it_was_routed():
    ledger = Ledger()
    ticket = ledger.open_chunk(position(10), lines=3)
    assert (ledger.acked_through, ledger.accounting.in_flight) == (None, 3)
    ledger.route(ticket, not_relevant=2, dead=1, pending={})
    assert ledger.acked_through == position(10)
    assert ledger.accounting == Accounting(3, not_relevant=2, delivered=0, dead_lettered=1, in_flight=0)


def test_the_position_moves_over_settled_chunks_in_a_row_alone():
    ledger = Ledger()
    tickets = [ledger.open_chunk(position(end), lines=1) for end in (10, 20, 30)]
    for ticket, end in zip(tickets, (0, 10, 20), strict=True):
        ledger.route(ticket, not_relevant=0, dead=0, pending={"windows": [end]})
    ledger.settle(tickets[2], "windows", [20])
    ledger.settle(tickets[1], "windows", [10])
    assert ledger.acked_through is None
    ledger.settle(tickets[0], "windows", [0])
    assert ledger.acked_through == position(30)


def test_a_line_of_both_kinds_counts_once_and_as_dead_if_one_record_is():
    ledger = Ledger(kinds=("windows", "fail2ban"))
    ticket = ledger.open_chunk(position(10), lines=1)
    ledger.route(ticket, not_relevant=0, dead=0, pending={"windows": [0], "fail2ban": [0]})
    ledger.settle(ticket, "windows", [0], dead=True)
    assert (ledger.acked_through, ledger.accounting.in_flight) == (None, 1)
    ledger.settle(ticket, "fail2ban", [0])
    assert ledger.acked_through == position(10)
    assert ledger.accounting == Accounting(1, 0, delivered=0, dead_lettered=1, in_flight=0)
    assert ledger.records_delivered == {"windows": 0, "fail2ban": 1}


def test_settling_twice_or_what_is_unknown_changes_nothing():
    ledger = Ledger()
    ticket = ledger.open_chunk(position(10), lines=1)
    ledger.route(ticket, not_relevant=0, dead=0, pending={"windows": [0]})
    ledger.settle(ticket, "fail2ban", [0])
    ledger.settle(ticket, "windows", [5])
    assert ledger.acked_through is None
    for _ in range(2):
        ledger.settle(ticket, "windows", [0])
    assert ledger.accounting == Accounting(1, 0, delivered=1, dead_lettered=0, in_flight=0)


def test_of_each_file_the_last_settled_position_is_reported_though_settled_chunks_are_merged():
    reported = []
    ledger = Ledger(reported.append)
    stuck = ledger.open_chunk(position(1), lines=1)
    ledger.route(stuck, not_relevant=0, dead=0, pending={"windows": [0]})
    for end in range(2, 3 * CROWDED_CHUNKS):
        file = end // CROWDED_CHUNKS
        ledger.route(ledger.open_chunk(replace(position(end), file=file), lines=1), not_relevant=1, dead=0, pending={})
    assert reported == []
    ledger.settle(stuck, "windows", [0])
    assert {each.file: each.offset for each in reported} == {0: CROWDED_CHUNKS - 1, 1: 2 * CROWDED_CHUNKS - 1, 2: 3 * CROWDED_CHUNKS - 1}
    assert len(reported) <= 2 * CROWDED_CHUNKS


def test_a_torn_line_counts_as_the_lines_that_it_should_have_been():
    ledger = Ledger()
    ticket = ledger.open_chunk(position(10), lines=1)
    ledger.add_lines(ticket, 2)
    assert ledger.accounting == Accounting(3, 0, 0, 0, in_flight=3)
    ledger.route(ticket, not_relevant=2, dead=1, pending={})
    assert ledger.accounting == Accounting(3, 2, 0, 1, 0)


def test_one_record_that_waits_for_days_does_not_let_the_ledger_grow():
    ledger = Ledger()
    stuck = ledger.open_chunk(position(1), lines=1)
    ledger.route(stuck, not_relevant=0, dead=0, pending={"windows": [0]})
    for end in range(2, 20_000):
        ledger.route(ledger.open_chunk(position(end), lines=1), not_relevant=1, dead=0, pending={})
    assert len(ledger._chunks) <= 2 * CROWDED_CHUNKS
    ledger.settle(stuck, "windows", [0])
    assert ledger.acked_through == position(19_999)


@pytest.mark.parametrize("seed", range(20))
def test_in_any_order_of_settlement_the_books_balance_and_the_position_is_never_ahead(seed):
    random, ledger = Random(seed), Ledger()
    waiting, died, end = [], set(), 0
    for _ in range(600):
        if random.random() < 0.4 or not waiting:
            begin, end = end, end + random.randint(1, 9)
            ticket = ledger.open_chunk(position(end), lines=end - begin)
            relevant = {offset: random.sample(KINDS, random.randint(1, 2)) for offset in range(begin, end) if random.random() < 0.5}
            pending = {kind: [offset for offset in relevant if kind in relevant[offset]] for kind in KINDS}
            ledger.route(ticket, not_relevant=end - begin - len(relevant), dead=0, pending=pending)
            waiting += [(ticket, kind, offset) for kind in KINDS for offset in pending[kind]]
        else:
            ticket, kind, _ = random.choice(waiting)
            settled = random.choices([offset for *of, offset in waiting if of == [ticket, kind]], k=3)
            is_dead = random.random() < 0.2
            assert ledger.settle(ticket, kind, settled, dead=is_dead) == set(settled)
            waiting = [each for each in waiting if each not in {(ticket, kind, offset) for offset in settled}]
            died |= set(settled) if is_dead else set()
        unsettled = {offset for _, _, offset in waiting}
        counts = ledger.accounting
        assert (counts.is_balanced, counts.in_flight, counts.dead_lettered) == (True, len(unsettled), len(died - unsettled))
        assert (ledger.acked_through.offset if ledger.acked_through else 0) <= min(unsettled, default=end)
