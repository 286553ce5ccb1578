"""Planted bugs in the following of files and in the checkpoint; see `mutations`."""

import trio

from wazuh_dfn.messages import Fingerprint
from wazuh_dfn.tailing import alert_file, names, registry, survey
from wazuh_dfn.tailing.checkpoint_file import CheckpointFile, encode
from wazuh_dfn.tailing.chunks import ChunkReader
from wazuh_dfn.tailing.names import list_files
from wazuh_dfn.tailing.open_files import OpenFiles
from wazuh_dfn.tailing.registry import KnownFile, Mark, Match, Registry
from wazuh_dfn.tailing.tailer import Tailer

original_run, original_survey = Tailer.run, survey.survey


async def rotation_drops_the_tail(self, lifeline, file, at, quiet_seconds=None):
    if (left := await file.size() - at.offset) > 0:
        self._place.go_on(at.after(left, b""))
    return True


def rotation_while_down_is_not_noticed(disk, alerts, since=(0, 0)):
    listing = list_files(disk, alerts, since)
    listing.sightings = [sighting for sighting in listing.sightings if sighting.is_current]
    return listing


def seek_without_looking(content, *where):
    mark = where[-1]
    return len(content.read(max(0, mark.offset - 1), 1)) == 1 or mark.offset == 0


def copies_are_overlooked(path, alerts):
    return "stranger"


async def a_crash_of_the_tailer_skips_to_the_end(self, lifeline):
    at = self._place.at
    if at is not None:
        self._place.registry.go_on(at.after(await self._place.file.size() - at.offset, b""))
    await original_run(self, lifeline)


def the_checkpoint_is_overwritten_in_place(self, checkpoint):
    self._disk.write(self._path, encode(checkpoint))


def the_folder_of_the_checkpoint_is_not_synced(self, checkpoint):
    temporary = self._path.with_name("new")
    self._disk.write(temporary, encode(checkpoint))
    self._disk.rename(temporary, self._path)


def a_copy_counts_as_settled_at_once(self, known):
    return True


async def the_current_file_is_not_held(self):
    await trio.sleep_forever()


def names_tell_files(self, content, path):
    known = next((known for known in self.files.values() if known.path == path), None)
    return Match(known, known.read_to) if known is not None else None


async def what_has_lost_its_name_is_closed(self, found):
    for file in list(self._place.held):
        if file is not self._place.file:
            await self._close(file)


def older_files_do_not_grow_again(disk, alerts, known_files, held=(), since=(0, 0)):
    found = original_survey(disk, alerts, known_files, held, since)
    slots = [sighting.slot for _, sighting in found.read if sighting.slot]
    found.unread = [unread for unread in found.unread if not slots or not unread.sighting.slot or unread.sighting.slot >= max(slots)]
    return found


async def a_stale_descriptor_is_kept(self, file, error):
    pass


def a_save_has_what_was_read(known):
    return KnownFile(known.number, known.path, known.head, known.read_to, known.read_to, {}, known.read)


def a_file_that_came_back_shorter_is_read_from_its_end(self, content, path):
    first = content.read(0, 1024)
    alike = [known for known in self.files.values() if known.head.length and known.head.fits(first)]
    size = content.size()
    marks = [Match(known, known.read_to) for known in alike if known.read_to.offset <= size]
    if alike and not marks:
        return Match(alike[0], Mark(size, Fingerprint.of(content.read(size - 100, 100))))
    return max(marks, key=lambda match: match.mark.offset, default=None)


READING_MUTATIONS = {
    rotation_drops_the_tail: [(ChunkReader, "read_rest")],
    rotation_while_down_is_not_noticed: [(survey, "list_files")],
    seek_without_looking: [(registry, "holds"), (survey, "holds"), (survey, "is_same")],
    copies_are_overlooked: [(survey, "naming_of"), (names, "naming_of")],
    a_crash_of_the_tailer_skips_to_the_end: [(Tailer, "run")],
    the_checkpoint_is_overwritten_in_place: [(CheckpointFile, "_save")],
    the_folder_of_the_checkpoint_is_not_synced: [(CheckpointFile, "_save")],
    a_copy_counts_as_settled_at_once: [(Registry, "_is_settled_in_whole")],
    the_current_file_is_not_held: [(OpenFiles, "keep_the_current_open")],
    names_tell_files: [(Registry, "identify")],
    what_has_lost_its_name_is_closed: [(OpenFiles, "_close_all_but")],
    older_files_do_not_grow_again: [(alert_file, "survey")],
    a_stale_descriptor_is_kept: [(OpenFiles, "_close_broken")],
    a_save_has_what_was_read: [(registry, "snapshot")],
    a_file_that_came_back_shorter_is_read_from_its_end: [(Registry, "identify")],
}
"""Each bug, and what it is put in place of."""
