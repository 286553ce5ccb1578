"""Apache Kafka as the broker: one node for all runs, as it starts slowly, and a topic for each."""

from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.site import BROKER_CORES, Endpoint, on_cores
from support.apache_kafka import KafkaCluster
from support.certs import make_certificates
from support.kafka_jars import jars, java


@contextmanager
def shared_kafka(*, tls):
    """Run one node, and yield what makes a run's endpoint. Raises KafkaNotAvailableError if there is no Java or no Kafka here."""
    java(), jars()
    with TemporaryDirectory(prefix="bench-kafka-") as temporary, ExitStack() as stack:
        folder = Path(temporary)
        cluster = KafkaCluster(folder / "nodes", make_certificates(folder / "certificates"), nodes=1)
        with on_cores(BROKER_CORES):
            stack.enter_context(cluster)
        yield _Endpoints(cluster, tls=tls)


class _Endpoints:
    """With TLS the daemon has what a customer has: a certificate of its own, and WRITE and DESCRIBE on its topic. Measuring is plaintext."""

    def __init__(self, cluster, *, tls):
        self._cluster = cluster
        self._tls = tls
        self._numbers = count(1)

    @contextmanager
    def __call__(self, _):
        topic = f"bench-{next(self._numbers)}"
        self._cluster.create_topic(topic)
        self._cluster.leader(topic)  # waits until there is one
        address, credentials = self._cluster.bootstrap, {}
        if self._tls:
            address, credentials = self._cluster.mutual_tls, self._customer(topic)
        [node] = self._cluster.nodes
        yield Endpoint(node.process.pid, self._cluster.bootstrap, address, topic, credentials)
        self._cluster.delete_topic(topic)

    def _customer(self, topic):
        certificates = self._cluster.certificates
        client = certificates.client_named(topic)
        client.key.chmod(0o600)
        self._cluster.allow(topic, topic, "WRITE", "DESCRIBE")
        return {"dfn_ca": str(certificates.ca), "dfn_cert": str(client.certificate), "dfn_key": str(client.key)}


def version():
    """Return the version of Apache Kafka."""
    [jar] = jars().glob("kafka-server-[0-9]*.jar")
    return jar.stem.removeprefix("kafka-server-")
