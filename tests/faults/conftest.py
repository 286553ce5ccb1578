"""Apache Kafka for the tests of this folder."""

import fcntl
import os
from contextlib import contextmanager

import pytest

from support.apache_kafka import KafkaCluster
from support.certs import make_certificates
from support.kafka_jars import POM, POM_OF_3_9, KafkaNotAvailableError, cache_folder, jars, java
from support.kafka_site import KafkaSite


@contextmanager
def running_cluster(tmp_path_factory, nodes, pom):
    """Run a cluster. Another process has to wait with its own, as memory is limited."""
    try:
        java(), jars(pom)
    except KafkaNotAvailableError as error:
        if os.environ.get("WAZUH_DFN_REQUIRE_KAFKA"):
            pytest.fail(f"Apache Kafka is required here: {error}")
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("kafka")
    with (cache_folder() / "lock").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        with KafkaCluster(folder, make_certificates(folder / "certificates"), nodes, pom=pom) as running:
            yield running


@pytest.fixture(scope="module")
def apache_kafka(tmp_path_factory):
    """Run three nodes for all tests of a module."""
    with running_cluster(tmp_path_factory, nodes=3, pom=POM) as running:
        yield running


@pytest.fixture(scope="class")
def apache_kafka_3_9(tmp_path_factory):
    """Run one node of Kafka 3.9 for all tests of a class."""
    with running_cluster(tmp_path_factory, nodes=1, pom=POM_OF_3_9) as running:
        yield running


@pytest.fixture
def kafka(apache_kafka):
    """Lend the cluster to one test. Afterwards all nodes run again, and nobody has any rights."""
    yield apache_kafka
    apache_kafka.start()
    apache_kafka.forget_acls()


@pytest.fixture
def site(tmp_path, kafka):
    """Make a topic with three replicas, and a customer who has what customers have: WRITE and DESCRIBE on it, by mutual TLS."""
    return KafkaSite(tmp_path, kafka)
