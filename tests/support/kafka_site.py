"""A customer of Apache Kafka: a topic, the rights on it, and the real daemon that writes to it over mutual TLS while alerts come in."""

from __future__ import annotations

import itertools
import signal
import threading
import time
from contextlib import contextmanager

from support.checkpoints import settled
from support.corpus import Corpus
from support.daemon import Daemon
from support.kafka_read import read_all
from support.outage import append, outcome, wait_until_settled

LINES_A_TICK = 250
TICK_SECONDS = 0.05

_numbers = itertools.count(1)


class KafkaSite:
    """Everything about one test: no other test has this topic or this user."""

    def __init__(self, folder, kafka):
        self.kafka = kafka
        self.folder = folder
        self.topic = f"site-{next(_numbers)}"
        self.corpus = Corpus()
        self.daemon = None

    def prepare(self, *, rights=("WRITE", "DESCRIBE"), topic=True, idempotence=True, replicas=None, topic_settings=None, **settings):
        """Make the topic, grant the rights, configure the daemon (which does not run yet). `settings` are those of its section kafka."""
        if topic:
            self.kafka.create_topic(self.topic, replicas, **({"min.insync.replicas": 2} | (topic_settings or {})))
        if rights:
            self.kafka.allow(self.topic, self.topic, *rights)
        client = self.kafka.certificates.client_named(self.topic)
        self.dfn = {
            "dfn_id": self.topic,
            "dfn_ca": str(self.kafka.certificates.ca),
            "dfn_cert": str(client.certificate),
            "dfn_key": str(client.key),
        }
        how = {"timeout": 10, "idempotence": idempotence} | settings
        self.daemon = Daemon(self.folder, self.kafka.mutual_tls, dfn=self.dfn, kafka=how)
        return self.daemon

    def prepare_login(self, mechanism, password):
        """Make the topic, and configure a daemon that logs in by name and password, and that may write if the password is right."""
        self.kafka.create_topic(self.topic)
        self.kafka.allow(self.topic, self.topic, "WRITE")
        login = {"sasl_mechanism": mechanism, "sasl_username": self.topic, "sasl_password": password}
        dfn = {"dfn_id": self.topic, "dfn_ca": str(self.kafka.certificates.ca)}
        self.daemon = Daemon(self.folder, self.kafka.login, dfn=dfn, kafka={"timeout": 10} | login)
        return self.daemon

    def reload(self):
        """SIGHUP; returns when the daemon has read everything again."""
        done = self.daemon.log_text().count("event=reloaded")
        self.daemon.process.send_signal(signal.SIGHUP)
        self.daemon.wait_until(lambda: self.daemon.log_text().count("event=reloaded") > done, what="a reload")

    @contextmanager
    def under_load(self):
        """Write alerts all the time: 5,000 a second, of which 500 are relevant. What happens meanwhile falls in the middle of them."""
        stop = threading.Event()

        def write():
            while not stop.wait(TICK_SECONDS):
                append(self.daemon, self.corpus, LINES_A_TICK)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            self.wait_for_more()
            yield
            self.wait_for_more()
        finally:
            stop.set()
            writer.join()

    def wait_for_more(self, timeout=60):
        """Wait until the daemon has delivered something that was written from now on."""
        goal = self.corpus.size + 1
        began = time.monotonic()
        self.daemon.wait_until(lambda: settled(self.daemon) >= goal, timeout, "delivery of what is written now")
        return time.monotonic() - began

    def wait_until_settled(self, timeout=60):
        wait_until_settled(self.daemon, self.corpus, timeout)

    def records(self):
        return read_all(self.kafka.bootstrap, self.topic, expect=self.corpus.relevant)

    def finish(self, timeout=60):
        """Wait until all is settled, end the daemon, and compare what arrived with what was written."""
        self.wait_until_settled(timeout)
        assert self.daemon.stop() == 0
        return outcome(self.corpus, self.records())
