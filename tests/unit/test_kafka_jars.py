"""Where Apache Kafka cannot run, one line says how to get it; a damaged cache is filled again."""

import os

import pytest

from support import kafka_jars
from support.kafka_jars import KafkaNotAvailableError


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch, tmp_path):
    """Look again, in a cache and a PATH of this test's own."""
    monkeypatch.setenv("WAZUH_DFN_KAFKA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    (tmp_path / "bin").mkdir()
    kafka_jars.java.cache_clear()
    kafka_jars.jars.cache_clear()
    yield
    kafka_jars.java.cache_clear()
    kafka_jars.jars.cache_clear()


def put_command(tmp_path, name, script):
    path = tmp_path / "bin" / name
    path.write_text(f"#!/bin/bash\nPATH={os.defpath}\n{script}\n")
    path.chmod(0o755)


def test_without_java_one_line_says_how_to_get_it():
    with pytest.raises(KafkaNotAvailableError, match=r"^Apache Kafka needs Java 17 or newer, found none .Debian: apt install [a-z0-9-]+.$"):
        kafka_jars.java()


def test_an_old_java_is_named(tmp_path):
    put_command(tmp_path, "java", """echo 'openjdk version "11.0.2" 2019-01-15' >&2""")
    with pytest.raises(KafkaNotAvailableError, match=r'found openjdk version "11\.0\.2"'):
        kafka_jars.java()


def test_a_newer_java_will_do(tmp_path):
    put_command(tmp_path, "java", """echo 'openjdk version "25" 2025-09-16' >&2""")
    assert kafka_jars.java() == str(tmp_path / "bin" / "java")


def test_without_maven_one_line_says_how_to_get_it():
    with pytest.raises(
        KafkaNotAvailableError, match=r"^the jars of Apache Kafka are fetched by Maven, which is missing .Debian: .*maven.$"
    ):
        kafka_jars.jars()


def test_mavens_reason_is_shown(tmp_path):
    put_command(tmp_path, "mvn", "echo '[ERROR] no route to host'; exit 1")
    with pytest.raises(KafkaNotAvailableError, match=r"cannot fetch the jars of Apache Kafka: .*no route to host"):
        kafka_jars.jars()
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_jars_are_fetched_once_and_again_if_one_is_damaged(tmp_path):
    fetch = 'echo >> "$(dirname "$0")/../fetched"; for each in "$@"; do case $each in -DoutputDirectory=*) to=${each#*=};; esac; done'
    put_command(tmp_path, "mvn", f'{fetch}; mkdir -p "$to"; echo whole > "$to/kafka.jar"')
    folder = kafka_jars.jars()
    kafka_jars.jars.cache_clear()
    assert kafka_jars.jars() == folder
    (folder / "kafka.jar").write_text("ha")
    kafka_jars.jars.cache_clear()
    assert (kafka_jars.jars() / "kafka.jar").read_text() == "whole\n"
    assert (tmp_path / "fetched").read_text().count("\n") == 2


def test_each_version_of_kafka_has_a_folder_of_its_own(tmp_path):
    put_command(
        tmp_path,
        "mvn",
        'for each in "$@"; do case $each in -DoutputDirectory=*) to=${each#*=};; *.xml) pom=$each;; esac; done; mkdir -p "$to"; cp "$pom" "$to/kafka.jar"',
    )
    for pom in (kafka_jars.POM, kafka_jars.POM_OF_3_9):
        assert (kafka_jars.jars(pom) / "kafka.jar").read_text() == pom.read_text()
