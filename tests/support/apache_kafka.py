"""Apache Kafka itself: one node or three, each of which can be stopped, killed, frozen and started again.

    with KafkaCluster(folder, certificates, nodes=3) as kafka:
        kafka.create_topic("site-1", **{"min.insync.replicas": 2})
        kafka.allow("site-1", "site-1", "WRITE", "DESCRIBE")
        ... kafka.mutual_tls, certificates.client_named("site-1") ...
        kafka.nodes[1].kill()

Each node has four listeners: plaintext and TLS without a client certificate, where everybody may do everything; mutual TLS, where the CN
of the client's certificate is the user; and TLS with a login by name and password (SCRAM), as `set_password` gives it. Those users may
do only what `allow` says. The nodes are brokers and controllers.
"""

from __future__ import annotations

import shutil
import ssl
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from support.certs import Certificates, Pair
from support.kafka_jars import POM
from support.kafka_node import KafkaNode, java_command

ADMIN_WITHIN = 60


class KafkaCluster:
    """`nodes` nodes of the version in `pom`, with their data and logs in `folder`. The logs stay there."""

    def __init__(self, folder: Path, certificates: Certificates, nodes: int = 3, *, pom: Path = POM, **settings: object) -> None:
        self.folder = folder
        self.pom = pom
        self.certificates = certificates
        self.nodes = [KafkaNode(number, folder, pom) for number in range(1, nodes + 1)]
        for node in self.nodes:
            node.configure(self.nodes, certificates, {name: str(value) for name, value in settings.items()})
        self._admin: AdminClient | None = None

    @property
    def bootstrap(self) -> str:
        """The plaintext addresses."""
        return self._addresses("PLAIN")

    @property
    def tls(self) -> str:
        """The addresses with TLS, for clients without a certificate."""
        return self._addresses("TLS")

    @property
    def mutual_tls(self) -> str:
        """The addresses that demand a client's certificate."""
        return self._addresses("MUTUAL")

    @property
    def login(self) -> str:
        """The addresses that demand a name and a password."""
        return self._addresses("LOGIN")

    @property
    def admin(self) -> AdminClient:
        if self._admin is None:
            self._admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        return self._admin

    def __enter__(self) -> Self:
        try:
            cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            for process in [node.format(cluster) for node in self.nodes]:
                assert process.wait(ADMIN_WITHIN) == 0, self.log_tails()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._admin = None
        for node in self.nodes:
            node.__exit__()
            shutil.rmtree(node.home / "data", ignore_errors=True)

    def start(self) -> None:
        """Start all nodes that do not run, let those go on that are frozen, and wait until the cluster knows all of them."""
        for node in self.nodes:
            if node.process is None or node.process.poll() is not None:
                node.launch()
            else:
                node.thaw()
        for node in self.nodes:
            node._wait_ready(node.bootstrap)
        self._until(lambda: len(self.admin.list_topics(timeout=5).brokers) == len(self.nodes), "all nodes in the metadata")

    def wait_until_in_sync(self, topic: str, replicas: int | None = None) -> None:
        """Wait until so many replicas of the topic's first partition are in sync: all, if nothing else is said."""
        wanted = replicas or len(self.nodes)
        self._until(lambda: len(self._partition(topic).isrs) == wanted, f"{wanted} replicas in sync")

    def leader(self, topic: str) -> KafkaNode:
        """Return the node that leads the topic's first partition."""
        self._until(lambda: self.leader_number(topic) > 0, "a leader")
        return self.nodes[self.leader_number(topic) - 1]

    def leader_number(self, topic: str) -> int:
        """Return the number of the node that leads it now. It is negative if none does."""
        return int(self._partition(topic).leader)

    def move_leader_back(self, topic: str) -> None:
        """Let the topic's first replica lead again, which is what an operator does after a rolling restart."""
        self.tool("org.apache.kafka.tools.LeaderElectionCommand", "--election-type", "preferred", "--topic", topic, "--partition", "0")

    def wait_until_without_leader(self, topic: str) -> None:
        """Wait until the cluster knows that none of the replicas that are there may lead."""
        self._until(lambda: self.leader_number(topic) < 0, "no leader")

    def create_topic(self, name: str, replicas: Sequence[int] | None = None, **settings: object) -> None:
        """Create a topic with one partition. `replicas` are the numbers of its nodes, the preferred leader first: three, if it is omitted."""
        config = {key: str(value) for key, value in settings.items()}
        where = {"replica_assignment": [list(replicas)]} if replicas else {"replication_factor": min(3, len(self.nodes))}
        topic = NewTopic(name, 1, **where, config=config)
        self.admin.create_topics([topic])[name].result(ADMIN_WITHIN)
        self._until(lambda: name in self.admin.list_topics(timeout=5).topics, f"topic {name}")

    def delete_topic(self, name: str) -> None:
        self.admin.delete_topics([name])[name].result(ADMIN_WITHIN)

    def configure_topic(self, name: str, **settings: object) -> None:
        self._configure(ConfigResource.Type.TOPIC, name, {key: str(value) for key, value in settings.items()})

    def show_certificate(self, pair: Pair) -> None:
        """Let the listeners with mutual TLS of all nodes show this certificate from the next connection on."""
        for node in self.nodes:
            keystore = node.keystore_of(pair)
            self._configure(ConfigResource.Type.BROKER, str(node.number), {"listener.name.mutual.ssl.keystore.location": str(keystore)})
        wanted = ssl.PEM_cert_to_DER_cert(
            pair.certificate.read_text().partition("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----"
        )
        self._until(lambda: all(node.shown_certificate() == wanted for node in self.nodes), "the new certificate on all nodes")

    def _configure(self, kind: ConfigResource.Type, name: str, settings: dict[str, str]) -> None:
        entries = [ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in settings.items()]
        resource = ConfigResource(kind, name, incremental_configs=entries)
        self.admin.incremental_alter_configs([resource])[resource].result(ADMIN_WITHIN)

    def allow(self, user: str, topic: str, *operations: str) -> None:
        """Let a user of mutual TLS do these operations with the topic."""
        self._acl(user, topic, operations, AclPermissionType.ALLOW)

    def deny(self, user: str, topic: str, *operations: str) -> None:
        """Deny it, whatever is allowed elsewhere."""
        self._acl(user, topic, operations, AclPermissionType.DENY)

    def _acl(self, user: str, topic: str, operations: tuple[str, ...], permission: AclPermissionType) -> None:
        where = (ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, f"User:{user}", "*")
        rules = [AclBinding(*where, AclOperation[operation], permission) for operation in operations]
        for done in self.admin.create_acls(rules).values() if rules else ():
            done.result(ADMIN_WITHIN)

    def forget_acls(self) -> None:
        pattern = (ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY)
        for done in self.admin.delete_acls([AclBindingFilter(*pattern)]).values():
            done.result(ADMIN_WITHIN)

    @contextmanager
    def quota(self, user: str, bytes_per_second: int) -> Iterator[None]:
        """Limit what a user of mutual TLS may write on each node."""
        entity = ("--entity-type", "users", "--entity-name", user)
        self.tool("org.apache.kafka.tools.ConfigCommand", "--alter", "--add-config", f"producer_byte_rate={bytes_per_second}", *entity)
        try:
            yield
        finally:
            self.tool("org.apache.kafka.tools.ConfigCommand", "--alter", "--delete-config", "producer_byte_rate", *entity)

    def set_password(self, user: str, password: str) -> None:
        """Let a user log in with it, by both mechanisms."""
        for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
            credential = UserScramCredentialUpsertion(user, ScramCredentialInfo(mechanism, 4096), password.encode())
            self.admin.alter_user_scram_credentials([credential])[user].result(ADMIN_WITHIN)

    def tool(self, name: str, *arguments: str) -> str:
        """Run one of Kafka's own tools on the plaintext listener and return what it prints."""
        command = java_command(name, "--bootstrap-server", self.bootstrap, *arguments, pom=self.pom)
        done = subprocess.run(command, capture_output=True, text=True, timeout=ADMIN_WITHIN, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def log_tails(self, size: int = 3000) -> str:
        return "\n".join(f"--- {node.log}\n{node.log.read_text(errors='replace')[-size:]}" for node in self.nodes if node.log.exists())

    def _addresses(self, listener: str) -> str:
        return ",".join(node.address(listener) for node in self.nodes)

    def _partition(self, topic: str) -> Any:
        return self.admin.list_topics(topic, timeout=5).topics[topic].partitions[0]

    def _until(self, condition: Any, what: str) -> None:
        end = time.monotonic() + ADMIN_WITHIN
        while True:
            try:
                if condition():
                    return
            except KeyError:
                pass  # it does not know all yet
            except KafkaException:
                self._admin = None  # a client stays with the node that it has asked once, and that may be frozen
            assert time.monotonic() < end, f"{what} did not come true\n{self.log_tails()}"
            time.sleep(0.05)
