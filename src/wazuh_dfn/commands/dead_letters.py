"""`wazuh-dfn dead-letters list|show|retry|purge`: shows, sends again or removes what could not be delivered."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number
from rich.markup import escape
from rich.table import Table

from wazuh_dfn import exit_codes
from wazuh_dfn.commands.dead_letters_retry import Json, Stages, retry
from wazuh_dfn.commands.settings_source import NO_FLAGS, FlaggedSettingsSource
from wazuh_dfn.commands.terminal import out
from wazuh_dfn.errors import ConfigurationError, DeadLettersUnusableError
from wazuh_dfn.health.verdict import told_stages
from wazuh_dfn.resend.choosing import groups as groups_of
from wazuh_dfn.resend.choosing import is_older, named
from wazuh_dfn.storage.kept_letters import KeptLetter, KeptLetters
from wazuh_dfn.storage.local_disk import LocalDisk
from wazuh_dfn.storage.removed_letters import Removed

dead_letters = App(name="dead-letters", help="List, show, resend or remove the lines that could not be delivered.")
dead_letters.command(retry)


@dead_letters.command(name="list")
def list_letters(
    *,
    source: Annotated[FlaggedSettingsSource, Parameter(name="*")] = NO_FLAGS,
    names: Annotated[bool, Parameter(negative=())] = False,
    as_json: Json = False,
) -> int:
    """List the dead letters, grouped by stage and reason. Also shows how many were removed to make room since the last call.

    Stages: malformed (not a JSON object), junk (malformed, and contains nothing that could be an alert to forward), oversize (a line over
    4 MiB), windows or fail2ban (could not be transformed), rejected (refused by the broker), poison (crashed its actor repeatedly).

    Parameters
    ----------
    names: bool
        Also list the name of each letter.
    as_json: bool
        Write one JSON object.
    """
    kept = _kept(source)
    groups = groups_of(kept.all())
    if as_json:
        listed = [_group_as_json(stage, reason, letters) for (stage, reason), letters in groups.items()]
        document = {"folder": str(kept.folder), "letters": sum(map(len, groups.values())), "groups": listed}
        _write_json(document | _removed_as_json(kept))
        return exit_codes.OK
    _tell_removed(kept)
    if not groups:
        hint = "" if source.config else "; if your configuration sets another folder, pass it with --config PATH"
        out.print(f"No dead letters in {kept.folder}{hint}", markup=False)
        return exit_codes.OK
    out.print(f"Dead letters in {kept.folder}:", markup=False)
    table = Table("letters", "stage", "reason", "oldest", "newest")
    for (stage, reason), letters in groups.items():
        table.add_row(str(len(letters)), *map(escape, (stage, reason, letters[0].time, letters[-1].time)))
    out.print(table)
    for letter in (letter for letters in groups.values() for letter in letters if names):
        out.print(f"{letter.name}  {letter.stage}  {letter.bytes} bytes  {letter.file} at {letter.offset}", markup=False)
    return exit_codes.OK


@dead_letters.command
def show(name: str, /, *, source: Annotated[FlaggedSettingsSource, Parameter(name="*")] = NO_FLAGS, as_json: Json = False) -> int:
    """Show one dead letter: its source, the reason, and the line.

    Parameters
    ----------
    name: str
        Its name, or a unique prefix of it. `list --names` shows the names.
    as_json: bool
        Write one JSON object. In its `line`, U+FFFD replaces invalid UTF-8.
    """
    kept = _kept(source)
    letter = named(kept.all(), name)
    raw = kept.raw(letter) or b""
    if as_json:
        _write_json({**asdict(letter), "line": raw.decode("utf-8", "replace")})
        return exit_codes.OK
    for key, value in asdict(letter).items():
        if value is not None:
            out.print(f"{key}: {value}", markup=False)
    out.print("line:")
    out.file.flush()
    line = raw.rstrip(b"\n")
    sys.stdout.buffer.write((_printable(line) if sys.stdout.isatty() else line) + b"\n")
    sys.stdout.buffer.flush()
    return exit_codes.OK


@dead_letters.command
def purge(
    *,
    source: Annotated[FlaggedSettingsSource, Parameter(name="*")] = NO_FLAGS,
    older_than: Annotated[float | None, Parameter(validator=Number(gte=0))] = None,
    stages: Stages = (),
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative=())] = False,
) -> int:
    """Remove dead letters permanently. They are the only copies.

    Parameters
    ----------
    older_than: float
        Only those stored more than this number of days ago.
    stages: tuple
        Only those of this stage. Can be repeated.
    yes: bool
        Do not ask for confirmation.
    """
    kept = _kept(source)
    letters = [
        letter for letter in kept.all() if (not stages or letter.stage in stages) and (older_than is None or is_older(letter, older_than))
    ]
    if not letters:
        out.print("No dead letters to remove")
        return exit_codes.OK
    if not yes:
        if not sys.stdin.isatty():
            raise ConfigurationError(f"{len(letters)} dead letters would be removed permanently; add --yes to confirm")
        if (
            out.input(
                f"Remove {len(letters)} dead letters in {kept.folder} permanently? They are the only copies. (y/N) ", markup=False
            ).lower()
            != "y"
        ):
            return exit_codes.FAILED
    kept.remove(letters)
    out.print(f"{len(letters)} dead letters removed")
    return exit_codes.OK


def _tell_removed(kept: KeptLetters) -> None:
    """Print how many dead letters were removed to make room, once."""
    removed = kept.removed()
    if removed is None:
        return
    out.print(f"{told_stages(removed.news)} were removed since {removed.since} to make room for others. They are lost.", markup=False)
    problem = _mark(kept, removed)
    if problem is not None:
        out.print(f"Cannot record that you have seen this, so the daemon stays degraded: {problem}", markup=False)


def _removed_as_json(kept: KeptLetters) -> dict[str, object]:
    removed = kept.removed()
    if removed is None:
        return {"removed": {}}
    return {"removed": removed.news, "removed_since": removed.since, "problem": _mark(kept, removed)}


def _mark(kept: KeptLetters, removed: Removed) -> str | None:
    """Mark the removals as looked at. Returns why that failed, or None."""
    try:
        kept.mark_looked_at(removed)
    except DeadLettersUnusableError as error:
        return str(error)
    return None


def _kept(source: FlaggedSettingsSource) -> KeptLetters:
    settings = source.load(to_run=False).settings
    return KeptLetters(settings.wazuh.failed_alerts_path, LocalDisk())


def _group_as_json(stage: str, reason: str, letters: Sequence[KeptLetter]) -> dict[str, object]:
    names = [letter.name for letter in letters]
    return {
        "stage": stage,
        "reason": reason,
        "letters": len(letters),
        "oldest": letters[0].time,
        "newest": letters[-1].time,
        "names": names,
    }


def _write_json(document: object) -> None:
    sys.stdout.write(json.dumps(document, indent=1) + "\n")


def _printable(line: bytes) -> bytes:
    """Return the line with all non-printable characters, such as terminal control sequences, as escapes."""
    text = line.decode("utf-8", "backslashreplace")
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text).encode()
