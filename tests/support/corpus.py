"""An alerts.json of any length: one line in ten is relevant, numbered, half of them Windows and half fail2ban."""

import json
from dataclasses import dataclass, field
from pathlib import Path

RELEVANT_EVERY = 10
OTHER_KIND = {"windows": "fail2ban", "fail2ban": "windows"}


@dataclass
class Corpus:
    """What was written: for each relevant line its kind and number, and where the line begins."""

    windows: list[int] = field(default_factory=list)
    fail2ban: list[int] = field(default_factory=list)
    offsets: dict[int, int] = field(default_factory=dict)
    lines: int = 0
    size: int = 0

    @property
    def relevant(self):
        return len(self.windows) + len(self.fail2ban)

    def add(self, number, kind, data):
        """Note a line that was written behind the others; without a kind it is not relevant."""
        if kind is not None:
            getattr(self, kind).append(number)
            self.offsets[number] = self.size
        self.size += len(data)
        self.lines += 1


def alert(number, **fields):
    content = {
        "timestamp": "2026-01-02T03:04:05.678+0100",
        "rule": {"level": 3, "description": "Something ordinary happened on a host, as it does all day.", "groups": ["syslog"]},
        "agent": {"id": "001", "name": "host-1.example.org", "ip": "198.51.100.1"},
        "id": f"1767319445.{number}",
        "full_log": "Jan  2 03:04:05 host-1 app[123]: an ordinary line of a log, long enough to look like one",
        "data": {"n": str(number)},
        "location": "/var/log/app.log",
    }
    return content | fields


def windows_alert(number, event_id="4625"):
    system = {"providerName": "Security-Auditing", "eventID": event_id, "eventRecordID": str(number), "computer": "dc-1.example.org"}
    return alert(number, data={"win": {"system": system, "eventdata": {"targetUserName": "alice", "logonType": "3"}}})


def fail2ban_alert(number):
    return alert(
        number,
        rule={"level": 3, "groups": ["fail2ban"]},
        data={"program_name": "fail2ban.actions", "pid": str(number), "severity": "NOTICE", "srcip": "203.0.113.5"},
        full_log=f"fail2ban: 2026-01-02 03:04:05,000 fail2ban.actions [{number}]: NOTICE [sshd] Ban 203.0.113.5",
    )


def line(content):
    return json.dumps(content, separators=(",", ":")).encode() + b"\n"


def relevant_line(kind, number):
    return line(windows_alert(number) if kind == "windows" else fail2ban_alert(number))


def numbered_lines(count, corpus, first=0):
    """Yield `count` lines and note them in `corpus`."""
    noise_head, noise_tail = line(alert("NUMBER")).split(b"NUMBER", 1)
    relevant = {0: "windows", RELEVANT_EVERY: "fail2ban"}
    for number in range(first, first + count):
        kind = relevant.get(number % (2 * RELEVANT_EVERY))
        data = noise_head + b"%d" % number + noise_tail if kind is None else relevant_line(kind, number)
        corpus.add(number, kind, data)
        yield data


def lines_of_kinds(kinds, corpus):
    """Yield a relevant line of each of these kinds, and note them in `corpus`."""
    for number, kind in enumerate(kinds, corpus.lines):
        data = relevant_line(kind, number)
        corpus.add(number, kind, data)
        yield data


def flood(random, kind, count, once_in):
    """Return `count` kinds, all this one, but once in so many the other one, alone or two or three in a row."""
    kinds = [kind] * count
    for place in random.sample(range(count - 3), count // once_in):
        few = random.randint(1, 3)
        kinds[place : place + few] = [OTHER_KIND[kind]] * few
    return kinds


def write_corpus(path, count):
    corpus = Corpus()
    with Path(path).open("ab") as file:
        file.writelines(numbered_lines(count, corpus))
    return corpus


def number_of(value):
    """Return (kind, number) of a record's value."""
    content = json.loads(value)
    if content["event_format"] == "windows-xml":
        return "windows", int(content["data"]["win"]["system"]["eventRecordID"])
    return "fail2ban", int(content["procId"])


def arrived(records, kind):
    """Return the numbers of one kind, in the order of arrival. `records` is what `read_all` returns."""
    return [number for found, number in (number_of(value) for _, _, value in records) if found == kind]


def furthest_overtaken(arrivals):
    """Of (kind, place in the file) in the order of arrival: by how much a record came, at most, after one of the other kind that stands behind it."""
    furthest, overtaken = {"windows": 0, "fail2ban": 0}, 0
    for kind, place in arrivals:
        overtaken = max(overtaken, furthest[OTHER_KIND[kind]] - place)
        furthest[kind] = max(furthest[kind], place)
    return overtaken
