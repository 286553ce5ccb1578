"""`wazuh-dfn dead-letters retry`: sends dead letters again, through the daemon's own pipeline."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import anyio
from cyclopts import Parameter
from cyclopts.validators import Number

from wazuh_dfn import exit_codes
from wazuh_dfn.commands.settings_source import NO_FLAGS, FlaggedSettingsSource
from wazuh_dfn.commands.terminal import out
from wazuh_dfn.config.paths import check_paths
from wazuh_dfn.kafka.aiokafka_producer import AiokafkaProducerFactory
from wazuh_dfn.kafka.producer_options import KafkaOptions
from wazuh_dfn.logs import configure_logs, quiet
from wazuh_dfn.resend.choosing import chosen
from wazuh_dfn.resend.letters import TORN_STAGES, LettersFile, Retry
from wazuh_dfn.resend.session import Session
from wazuh_dfn.storage.kept_letters import KeptLetters
from wazuh_dfn.storage.local_disk import LocalDisk
from wazuh_dfn.tailing.alert_file import AlertFile

Json = Annotated[bool, Parameter(name="--json", negative=())]
Stages = Annotated[tuple[str, ...], Parameter(name=["--stage", "--reason"], negative=())]


def retry(
    *names: str,
    source: Annotated[FlaggedSettingsSource, Parameter(name="*")] = NO_FLAGS,
    every: Annotated[bool, Parameter(name="--all", negative=())] = False,
    stages: Stages = (),
    give_up_after: Annotated[float, Parameter(validator=Number(gte=0))] = 60.0,
    as_json: Json = False,
) -> int:
    """Send dead letters again, through the daemon's own pipeline. The daemon can run at the same time.

    A malformed letter can be sent after its NAME.raw is fixed. Complete alerts on the line were delivered already.

    A letter is removed once the broker has acknowledged it. A letter that fails again is kept, with the new reason. A letter that the
    configuration no longer selects is kept too. A letter of a partly delivered alert is sent as a whole. Exit code 1: some letters are
    kept.

    Parameters
    ----------
    names: str
        Names of letters, or unique prefixes of them.
    every: bool
        Send all letters again.
    stages: tuple
        Send all letters of this stage again. Can be repeated.
    give_up_after: float
        Seconds to wait for an unavailable broker before giving up.
    as_json: bool
        Write the outcome as one JSON object.
    """
    settings = source.load().settings
    check_paths(settings)
    configure_logs(quiet(settings))
    disk = LocalDisk()
    kept = KeptLetters(settings.wazuh.failed_alerts_path, disk)
    letters = chosen(kept.all(), names, stages, every=every)
    file = LettersFile(letters, kept)
    outcome = Retry(file, kept)

    async def send() -> str:
        producers = AiokafkaProducerFactory(KafkaOptions.of(settings))
        session = Session(settings, [AlertFile(disk, Path("(dead letters)"), file)], producers, outcome, on_delivered=outcome.acknowledged)
        return await session.send(outcome.settled, give_up_after)

    ending = "done"
    try:
        if letters:
            ending = anyio.run(send)
    finally:
        _tell(outcome, as_json=as_json)
    if ending == "stopped":
        return exit_codes.STOPPED_AT_ONCE
    return exit_codes.OK if len(outcome.delivered) == len(letters) else exit_codes.FAILED


def _tell(outcome: Retry, *, as_json: bool) -> None:
    if as_json:
        failed = [{"name": letter.name, "stage": failure.stage, "reason": failure.reason} for letter, failure in outcome.failed]
        others = {"delivered": outcome.delivered, "not_selected": outcome.not_selected, "left": outcome.left}
        result = {"failed": failed, **{key: [letter.name for letter in letters] for key, letters in others.items()}}
        sys.stdout.write(json.dumps(result, indent=1) + "\n")
        return
    for letter, failure in outcome.failed:
        what = "cannot be sent, it is not an alert" if failure.stage in TORN_STAGES else f"failed again: {failure.stage}"
        out.print(f"{letter.name}: {what}: {failure.reason}", markup=False)
    for letter in outcome.not_selected:
        out.print(f"{letter.name}: not selected by the configuration, kept", markup=False)
    counts = f"{len(outcome.delivered)} delivered, {len(outcome.failed)} failed again, {len(outcome.not_selected)} not selected"
    out.print(f"{counts}, {len(outcome.left)} not tried", markup=False)
