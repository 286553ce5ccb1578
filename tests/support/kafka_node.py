"""One node of Apache Kafka: its settings and its process."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

from support.brokers import _Broker, _start, free_port
from support.certs import Certificates, Pair
from support.kafka_jars import POM, jars, java

JVM_OPTIONS = ("-Xmx384m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
SETTINGS = {
    "auto.create.topics.enable": "false",
    "unclean.leader.election.enable": "false",
    "auto.leader.rebalance.enable": "false",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
    "allow.everyone.if.no.acl.found": "false",
    "ssl.principal.mapping.rules": "RULE:^.*CN=([^,]+).*$/$1/,DEFAULT",
    "inter.broker.listener.name": "PLAIN",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SSL,MUTUAL:SSL,LOGIN:SASL_SSL",
    "listener.name.mutual.ssl.client.auth": "required",
    "listener.name.login.sasl.enabled.mechanisms": "SCRAM-SHA-256,SCRAM-SHA-512",
    **{
        f"listener.name.login.scram-sha-{bits}.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        for bits in (256, 512)
    },
    "ssl.allow.dn.changes": "true",  # a test's certificates all have other names, which an update at run time must not have by default
    # A dead node and an exceeded quota are noticed within seconds, and no node takes more memory or threads than a test needs.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "controlled.shutdown.enable": "true",
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.num.partitions": "3",
    "transaction.state.log.num.partitions": "3",
    "log.cleaner.dedupe.buffer.size": "4194304",
    "quota.window.num": "4",
    "num.network.threads": "2",
    "num.io.threads": "4",
}
LOGGING = """<Configuration status="WARN"><Appenders><Console name="out"><PatternLayout pattern="%d{ISO8601} %p %c{1} %m%n"/></Console></Appenders>
<Loggers><Root level="INFO"><AppenderRef ref="out"/></Root></Loggers></Configuration>"""


def java_command(*arguments: str, logging: Path | None = None, pom: Path = POM) -> list[str]:
    """Return the command that runs a class of Apache Kafka, of the version in this POM."""
    options = [f"-Dlog4j2.configurationFile={logging}"] if logging else ["-Dlog4j2.level=ERROR"]
    return [java(), *JVM_OPTIONS, *options, "-cp", f"{jars(pom)}/*", *arguments]


class KafkaNode(_Broker):
    """One node of a cluster. `stop()` hands its partitions over first, `kill()` does not."""

    def __init__(self, number: int, folder: Path, pom: Path = POM) -> None:
        super().__init__()
        self.pom = pom
        self.number = number
        self.home = folder / f"node-{number}"
        self.home.mkdir(parents=True)
        self.log = self.home / "server.log"
        self.properties = self.home / "server.properties"
        self.ports = {name: free_port() for name in ("PLAIN", "CONTROLLER", "TLS", "MUTUAL", "LOGIN")}
        self.bootstrap = self.address("PLAIN")

    def address(self, listener: str) -> str:
        return f"localhost:{self.ports[listener]}"

    def configure(self, nodes: list[KafkaNode], certificates: Certificates, extra: dict[str, str]) -> None:
        """Write the properties and the logging."""
        advertised = {name: port for name, port in self.ports.items() if name != "CONTROLLER"}
        copies = str(len(nodes))
        keystore = self.keystore_of(certificates.server)
        settings = SETTINGS | {
            "process.roles": "broker,controller",
            "node.id": str(self.number),
            "log.dirs": str(self.home / "data"),
            "controller.quorum.voters": ",".join(f"{node.number}@{node.address('CONTROLLER')}" for node in nodes),
            "listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in self.ports.items()),
            "advertised.listeners": ",".join(f"{name}://localhost:{port}" for name, port in advertised.items()),
            "default.replication.factor": copies,
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(keystore),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(certificates.ca),
        }
        self.properties.write_text("".join(f"{key}={value}\n" for key, value in (settings | extra).items()))
        (self.home / "log4j2.xml").write_text(LOGGING)

    def keystore_of(self, pair: Pair) -> Path:
        """Return a file from which Java reads this certificate and its key."""
        keystore = self.home / f"{pair.certificate.stem}-keystore.pem"
        keystore.write_bytes(pair.key_as_pkcs8() + pair.certificate.read_bytes())
        return keystore

    def shown_certificate(self) -> bytes:
        """Return the certificate (DER) that the listener with mutual TLS shows now."""
        address = ("localhost", self.ports["MUTUAL"])
        return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(address, timeout=10))

    def format(self, cluster: str) -> subprocess.Popen[bytes]:
        """Begin to format the data folder."""
        arguments = ("kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(self.properties))
        return _start(java_command(*arguments, pom=self.pom), cwd=self.home, log=self.log)

    def launch(self) -> None:
        """Start it, and do not wait."""
        command = java_command("kafka.Kafka", str(self.properties), logging=self.home / "log4j2.xml", pom=self.pom)
        self.process = _start(command, cwd=self.home, log=self.log)

    def start(self) -> None:
        self.launch()
        self._wait_ready(self.bootstrap)
