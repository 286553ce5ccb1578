"""Each kind of actor crashes again and again in mid-stream, on a real broker and real files: nothing is lost."""

from pathlib import Path
from random import Random

import anyio
import pytest

from support.corpus import arrived, write_corpus
from support.daemon import TOPIC
from support.faults import crash_some_lives
from support.kafka_read import read_all
from wazuh_dfn.config.settings import Settings
from wazuh_dfn.daemon.run_daemon import real_world
from wazuh_dfn.pipeline import Pipeline
from wazuh_dfn.supervision.events import ChildFailed

pytestmark = [pytest.mark.integration, pytest.mark.anyio]
CRASHES = 5


@pytest.fixture(scope="module")
def broker(shared_broker):
    return shared_broker


def settings_for(folder, broker, topic):
    return Settings.model_validate(
        {
            "dfn": {"dfn_broker": broker.bootstrap, "dfn_id": topic},
            "wazuh": {
                "json_alert_file": folder / "alerts.json",
                "json_alert_file_poll_interval": 0.05,
                "checkpoint_file": folder / "checkpoint.json",
                "failed_alerts_path": folder / "dead-letters",
                "start_at": "beginning",
            },
            "kafka": {"max_batch_bytes": 20_000},
            "supervisor": {"mailbox_capacity": 1, "backoff_initial": 0.01, "poison_limit": 100, "checkpoint_interval": 0.01},
        }
    )


@pytest.mark.parametrize("actor", ["tailer", "router", "windows", "fail2ban", "kafka", "checkpointer", "monitor"])
async def test_a_crashing_actor_loses_nothing(tmp_path, broker, actor):
    topic = f"{TOPIC}-{actor}"
    await anyio.to_thread.run_sync(broker.create_topic, topic)
    settings = settings_for(tmp_path, broker, topic)
    corpus = write_corpus(Path(settings.wazuh.json_alert_file), 5_000)
    pipeline = Pipeline(settings, real_world(settings))
    random = Random(actor)
    specs = [
        crash_some_lives(spec, random, lives=CRASHES, longest_seconds=0.03) if spec.name == actor else spec for spec in pipeline.specs()
    ]
    events = []
    supervisor = pipeline.supervisor(specs, [events.append])
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(supervisor.run)
            while pipeline.ledger.accounting.lines_read < corpus.lines or sum(isinstance(event, ChildFailed) for event in events) < CRASHES:
                await anyio.sleep(0.02)
            supervisor.drain()
    await pipeline.aclose()
    counts = pipeline.ledger.accounting
    assert (counts.is_balanced, counts.in_flight, counts.dead_lettered) == (True, 0, 0)
    assert pipeline.restarts.failures == {actor: CRASHES}
    assert counts.delivered == corpus.relevant
    records = await anyio.to_thread.run_sync(lambda: read_all(broker.bootstrap, topic, expect=corpus.relevant))
    for kind, numbers in (("windows", corpus.windows), ("fail2ban", corpus.fail2ban)):
        assert sorted(set(arrived(records, kind))) == numbers
        if actor != "kafka":
            assert arrived(records, kind) == numbers, "only a crash between sending and acknowledgement may repeat"
