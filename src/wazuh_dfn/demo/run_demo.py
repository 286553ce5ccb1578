"""Runs the demo: broker, generator, daemon and consumer side by side, then prints a table."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import anyio
from aiokafka import AIOKafkaConsumer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from wazuh_dfn import exit_codes
from wazuh_dfn.config.settings import Settings
from wazuh_dfn.daemon.run_daemon import real_world
from wazuh_dfn.demo.alerts import alert_line
from wazuh_dfn.errors import ConfigurationError
from wazuh_dfn.logs import configure_logs
from wazuh_dfn.pipeline import Pipeline

TOPIC = "demo-site"
BURST_LINES = 40
BURST_INTERVAL_SECONDS = 0.2
console = Console()


async def run_demo(seconds: float | None, bootstrap: str | None = None) -> int:
    """Show the delivery of alerts.

    Args:
        seconds: Duration of the demo, or None to run until interrupted.
        bootstrap: Address of a broker, or None for an embedded one.

    Returns:
        An exit code, which is not 0 if a record did not arrive.
    """
    cluster, which = None, "The given broker"
    if bootstrap is None:
        cluster, which = _start_broker(), "An embedded broker"
        bootstrap = ",".join(f"{broker.host}:{broker.port}" for broker in cluster.list_topics(timeout=10).brokers.values())
    console.print(f"{which} listens on [bold]{bootstrap}[/]; alerts are being written; what arrives is shown below.")
    with TemporaryDirectory(prefix="wazuh-dfn-demo-") as folder:
        settings = _settings(Path(folder), bootstrap)
        configure_logs(settings)
        began = anyio.current_time()
        pipeline = Pipeline(settings, real_world(settings))
        arrived = await _run_all(pipeline, Path(settings.wazuh.json_alert_file), bootstrap, seconds)
    return _show_result(pipeline, arrived, anyio.current_time() - began)


async def _run_all(pipeline: Pipeline, alerts: Path, bootstrap: str, seconds: float | None) -> int:
    consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=bootstrap, auto_offset_reset="earliest", metadata_max_age_ms=1000)
    supervisor = pipeline.supervisor()
    arrived: list[bytes] = []
    await consumer.start()
    try:
        async with anyio.create_task_group() as bystanders:
            bystanders.start_soon(_print_arrivals, consumer, arrived)
            async with anyio.create_task_group() as daemon:
                daemon.start_soon(supervisor.run)
                with anyio.move_on_after(seconds):
                    await _write_alerts(alerts)
                await _until_read(pipeline)
                supervisor.drain()
            with anyio.move_on_after(5):
                while len(arrived) < sum(pipeline.ledger.records_delivered.values()):  # noqa: ASYNC110 - another program's progress
                    await anyio.sleep(0.1)
            bystanders.cancel_scope.cancel()
    finally:
        await consumer.stop()
        await pipeline.aclose()
    return len(arrived)


async def _write_alerts(path: Path) -> None:
    random = Random(1)  # noqa: S311 - a repeatable show
    number = 0
    while True:
        lines = [alert_line(number + index, random, datetime.now().astimezone()) for index in range(BURST_LINES)]
        number += BURST_LINES
        async with await anyio.open_file(path, "ab") as file:
            await file.write(b"".join(lines))
        await anyio.sleep(BURST_INTERVAL_SECONDS)


async def _until_read(pipeline: Pipeline) -> None:
    with anyio.move_on_after(5):
        while (await pipeline.observed.report()).reading.lag_bytes != 0:  # noqa: ASYNC110 - as above
            await anyio.sleep(0.1)


async def _print_arrivals(consumer: AIOKafkaConsumer, arrived: list[bytes]) -> None:
    async for message in consumer:
        arrived.append(message.value)
        content: dict[str, Any] = json.loads(message.value)
        console.print(f"[green]{content['event_format']:16}[/] {_summary(content)}", highlight=False)


def _summary(content: dict[str, Any]) -> str:
    if content["event_format"] != "windows-xml":
        return escape(content["body"])
    win = content["data"]["win"]
    return escape(f"event {win['system']['eventID']} on {win['system']['computer']}, user {win['eventdata']['targetUserName']}")


def _start_broker() -> Any:
    try:
        from confluent_kafka import Producer  # noqa: PLC0415 - an optional dependency
    except ImportError:
        raise ConfigurationError("the demo's broker is missing: pip install 'wazuh-dfn[demo]'") from None
    return Producer({"test.mock.num.brokers": 1, "log_level": 0})


def _settings(folder: Path, bootstrap: str) -> Settings:
    return Settings.model_validate(
        {
            "dfn": {"dfn_broker": bootstrap, "dfn_id": TOPIC},
            "wazuh": {
                "json_alert_file": str(folder / "alerts.json"),
                "json_alert_file_poll_interval": 0.2,
                "checkpoint_file": str(folder / "checkpoint.json"),
                "failed_alerts_path": str(folder / "dead-letters"),
                "start_at": "beginning",
                "feedback": False,
            },
            "log": {"level": "WARNING"},
        }
    )


def _show_result(pipeline: Pipeline, arrived: int, seconds: float) -> int:
    counts = pipeline.ledger.accounting
    records = sum(pipeline.ledger.records_delivered.values())
    table = Table(title="What became of it")
    table.add_column("")
    table.add_column("count", justify="right")
    for name, value in (
        ("lines read", counts.lines_read),
        ("relevant", counts.lines_read - counts.not_relevant),
        ("delivered (acknowledged by the broker)", counts.delivered),
        ("records that the consumer read", arrived),
        ("dead-lettered", counts.dead_lettered),
        ("in flight", counts.in_flight),
        ("time in seconds", round(seconds, 1)),
    ):
        table.add_row(name, str(value))
    console.print(table)
    complete = counts.is_balanced and counts.in_flight == 0 and arrived == records > 0
    return exit_codes.OK if complete else exit_codes.FAILED
