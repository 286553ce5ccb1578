"""Bugs that one could write, each in place of the code that avoids it; the simulation has to find every one."""

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from unittest.mock import patch

from simulation.process import ProcessDisk
from simulation.reading_mutations import READING_MUTATIONS
from wazuh_dfn.delivery.dead_letter_store import DeadLetter
from wazuh_dfn.delivery.ledger import Ledger
from wazuh_dfn.kafka.faults import BrokerUnavailableError
from wazuh_dfn.kafka.kafka_actor import KafkaActor
from wazuh_dfn.storage.dead_letter_folder import DeadLetterFolder
from wazuh_dfn.supervision.mailbox import Lease, Mailbox


def checkpoint_before_acknowledgement(self):
    while self._chunks:
        self.acked_through = self._chunks[min(self._chunks)].end
        self._on_settled(self.acked_through)
        if not self._chunks[min(self._chunks)].is_settled:
            return
        del self._chunks[min(self._chunks)]


def no_redelivery_after_a_crash(self, error):
    for lease in self._leases:
        lease.slot.leave()
    self._leases.clear()
    return []


def the_rest_of_a_divided_chunk_is_not_redelivered(self, lease, parts):
    lease.slot.holders += len(parts) - 1
    leases = [Lease(self, part, lease.slot, lease.failures) for part in parts]
    is_kept = lease in self._leases  # the rest of a division, which is divided again, is not
    if is_kept:
        self._leases[self._leases.index(lease)] = leases[0]
    for each in leases[is_kept:]:
        each.done = each.slot.leave
    return leases


async def an_unclear_answer_counts_as_delivered(self, lifeline, entries):
    try:
        producer = await self._connect()
        await producer.deliver([record.value for _, record in entries])
    except BrokerUnavailableError:
        await self._drop_producer()
    for batch, record in entries:
        self._ledger.settle(batch.ticket, batch.kind, [record.offset])


def what_is_settled_is_sent_again(self, leases):
    for lease in leases:
        yield from ([(lease.item, record)] for record in lease.item.records)


async def a_dead_letter_is_given_up_on_a_full_disk(self, letters):
    try:
        return await self._disk.run_to_its_end(self._store, letters, 0)
    except OSError:
        return {}


def dead_letters_are_settled_before_they_are_durable(self, folder):
    pass


def done_before_the_work(self, lease):
    self._leases.append(lease)
    lease.done()
    return lease


def done_twice_is_fine(self):
    if self in self._mailbox._leases:
        self._mailbox._remove(self)


def nobody_waits_for_room(self, name, capacity, **options):
    original_mailbox(self, name, 1_000, **options)
    self.capacity = capacity


original_mailbox = Mailbox.__init__


def batches_are_sent_backwards(self, leases):
    for batch in original_batches(self, leases):
        yield batch[::-1]


original_batches = KafkaActor._batches


async def one_refused_record_costs_its_batch(self, lifeline, entries, error):
    for batch, record in entries:
        position = replace(batch.start, offset=record.offset)
        await self._dead_letters.store([DeadLetter(position, "rejected", error.reason, record.raw)])
        self._ledger.settle(batch.ticket, batch.kind, [record.offset], dead=True)


def a_crash_makes_all_of_a_batch_poison(self, error):
    self._poisoned.extend((lease, error or ValueError()) for lease in self._leases)
    self._leases.clear()
    return []


MUTATIONS = {
    checkpoint_before_acknowledgement: [(Ledger, "_advance")],
    no_redelivery_after_a_crash: [(Mailbox, "reclaim")],
    the_rest_of_a_divided_chunk_is_not_redelivered: [(Mailbox, "_divide")],
    an_unclear_answer_counts_as_delivered: [(KafkaActor, "_deliver")],
    what_is_settled_is_sent_again: [(KafkaActor, "_batches")],
    a_dead_letter_is_given_up_on_a_full_disk: [(DeadLetterFolder, "_store_patiently")],
    dead_letters_are_settled_before_they_are_durable: [(ProcessDisk, "sync_file_system")],
    done_before_the_work: [(Mailbox, "_lease")],
    batches_are_sent_backwards: [(KafkaActor, "_batches")],
    one_refused_record_costs_its_batch: [(KafkaActor, "_isolate")],
    a_crash_makes_all_of_a_batch_poison: [(Mailbox, "reclaim")],
    nobody_waits_for_room: [(Mailbox, "__init__")],
    **READING_MUTATIONS,
}
"""Each bug, and what it is put in place of."""


@contextmanager
def planted(mutation):
    with ExitStack() as stack:
        for where, name in MUTATIONS[mutation]:
            stack.enter_context(patch.object(where, name, mutation))
        if mutation is done_before_the_work:
            stack.enter_context(patch.object(Lease, "done", done_twice_is_fine))
        yield
