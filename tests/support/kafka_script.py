"""`scripts/kafka`: Apache Kafka to try things out on."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from support.apache_kafka import KafkaCluster
from support.certs import make_certificates
from support.kafka_jars import KafkaNotAvailableError, jars
from support.kafka_node import java_command

EPILOG = """examples:
  scripts/kafka                         one node until Ctrl-C, with the settings for wazuh-dfn that fit
  scripts/kafka run --nodes 3           three nodes
  scripts/kafka run -- COMMAND ARG      run a command with KAFKA_BOOTSTRAP and KAFKA_CONFIG in its environment, then stop
  scripts/kafka get                     only get the jars (60 MB) and show where they are
  scripts/kafka tool org.apache.kafka.tools.TopicCommand --help
                                        run a tool of Kafka's

Needs Java 17 or newer, and Maven the first time (Debian: apt install openjdk-17-jre-headless maven). The jars are kept in
$WAZUH_DFN_KAFKA_CACHE, or else in wazuh-dfn/kafka below $XDG_CACHE_HOME (~/.cache)."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/kafka", description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="do")
    run = commands.add_parser("run", help="run a cluster until Ctrl-C, or until a command has ended (default)")
    run.add_argument("--nodes", type=int, choices=(1, 3), default=1, help="how many nodes (default: 1)")
    run.add_argument("--topic", default="site-1", help="topic to create; its user has WRITE and DESCRIBE on it (default: site-1)")
    run.add_argument("--folder", type=Path, help="empty folder for certificates, data and logs (default: a temporary one)")
    run.add_argument("command", nargs="*", metavar="COMMAND")
    commands.add_parser("get", help="only get the jars")
    tool = commands.add_parser("tool", help="run a tool of Kafka's")
    tool.add_argument("command", nargs=argparse.REMAINDER, metavar="CLASS ...")
    return parser


def _configuration(kafka: KafkaCluster, topic: str) -> str:
    client = kafka.certificates.client_named(topic)
    client.key.chmod(0o600)
    return f"""[dfn]
dfn_id = "{topic}"
dfn_broker = "{kafka.mutual_tls}"
dfn_ca = "{kafka.certificates.ca}"
dfn_cert = "{client.certificate}"
dfn_key = "{client.key}"
"""


def _run(folder: Path, nodes: int, topic: str, command: list[str]) -> int:
    with KafkaCluster(folder / "kafka", make_certificates(folder / "certificates"), nodes) as kafka:
        kafka.create_topic(topic)
        kafka.allow(topic, topic, "WRITE", "DESCRIBE")
        config = folder / "config.toml"
        config.write_text(_configuration(kafka, topic))
        if command:
            environment = os.environ | {"KAFKA_BOOTSTRAP": kafka.bootstrap, "KAFKA_CONFIG": str(config)}
            return subprocess.run(command, env=environment, check=False).returncode
        print(f"Plaintext, all rights:  {kafka.bootstrap}")
        print(f"TLS, all rights:        {kafka.tls}")
        print(f"Mutual TLS, with ACLs:  {kafka.mutual_tls}")
        print(f"Node processes:         {', '.join(str(node.process.pid) for node in kafka.nodes if node.process)}")
        print(f"Logs:                   {folder}/kafka/node-*/server.log")
        print(f"For wazuh-dfn, in {config}:\n\n{config.read_text()}\nCtrl-C ends it.", flush=True)
        signal.pause()
    return 0


def _end(*_: object) -> None:
    raise KeyboardInterrupt


def main(arguments: list[str]) -> int:
    known = ("run", "get", "tool", "-h", "--help")
    options = _parser().parse_args(arguments if arguments and arguments[0] in known else ["run", *arguments])
    signal.signal(signal.SIGTERM, _end)
    try:
        if options.do == "get":
            print(jars())
            return 0
        if options.do == "tool":
            return subprocess.run(java_command(*options.command), check=False).returncode
        if options.folder is not None:
            return _run(options.folder.absolute(), options.nodes, options.topic, options.command)
        with tempfile.TemporaryDirectory(prefix="kafka-") as folder:
            return _run(Path(folder), options.nodes, options.topic, options.command)
    except KafkaNotAvailableError as error:
        print(f"scripts/kafka: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
