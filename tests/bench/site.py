"""Where one run happens: a folder, a broker on its own core, an empty topic, and the daemon of one checkout."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.measuring import Topic, pin
from support.brokers import MockBroker, NoidaBroker, TansuBroker
from support.daemon import TOPIC, Daemon

SUBJECT_CORES, BROKER_CORES = {0}, {1}


@dataclass(frozen=True)
class Endpoint:
    """Where one run delivers to. `bootstrap` is for measuring. `address` and `credentials` (of the section `dfn`) are for the daemon."""

    pid: int
    bootstrap: str
    address: str
    topic: str
    credentials: dict[str, str] = field(default_factory=dict)


@contextmanager
def embedded(broker, folder):
    """Start one of the brokers that come as Python packages, for one run."""
    make = {"noida": lambda: NoidaBroker(folder / "broker"), "mock": MockBroker, "tansu": TansuBroker}[broker]
    with ExitStack() as stack:
        with on_cores(BROKER_CORES):
            running = stack.enter_context(make())
        running.create_topic(TOPIC)
        yield Endpoint(running.process.pid, running.bootstrap, running.bootstrap, TOPIC)


@contextmanager
def on_cores(cores):
    """Start what is started in here on these cores; everything may run anywhere if there is only one."""
    before = os.sched_getaffinity(0)
    if len(before) > 1:
        os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True)
class Options:
    """`source` has the daemon's code. `lines` are those of the corpus. `sections` go into the daemon's configuration.

    `endpoints` makes what a run delivers to, given the run's folder: an embedded broker of its own, or a topic of a shared one.
    """

    source: Path
    broker: str
    lines: int
    compression: str
    endpoints: Callable[[Path], AbstractContextManager[Endpoint]]
    sections: dict = field(default_factory=dict)


@contextmanager
def bench_site(options):
    """Yield a folder, the endpoint, and the topic as the harness sees it."""
    with TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        endpoint = stack.enter_context(options.endpoints(folder))
        topic = Topic(endpoint.bootstrap, endpoint.topic)
        stack.callback(topic.close)
        yield folder, endpoint, topic


def daemon_environment(source):
    """Return the variables with which Python takes the daemon's code from there, whatever is installed and wherever it is started."""
    return {"PYTHONPATH": str(source), "PYTHONSAFEPATH": "1"}


def make_daemon(folder, endpoint, options):
    sections = {"supervisor": {"checkpoint_interval": 1.0}, **options.sections}
    kafka = {"compression_type": options.compression, "idempotence": options.broker != "tansu", **sections.pop("kafka", {})}
    dfn = {"dfn_id": endpoint.topic, **endpoint.credentials}
    daemon = Daemon(folder, endpoint.address, dfn=dfn, kafka=kafka, preexec=pin(SUBJECT_CORES), **sections)
    daemon.environment |= daemon_environment(options.source)
    return daemon
