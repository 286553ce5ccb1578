"""The lines that the simulated Wazuh writes: numbered alerts of all kinds, and what goes wrong with them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from support.corpus import alert, fail2ban_alert, line, windows_alert
from support.kinds import select
from wazuh_dfn.kinds import record
from wazuh_dfn.kinds.catalogue import kind_named
from wazuh_dfn.lines.parse import parse_alert

LINE_LIMIT_BYTES = 4096
"""Instead of the real 256 KiB, so that lines over it come often and cost little."""
KEPT_LINE_BYTES = 16 * LINE_LIMIT_BYTES
"""Instead of the real 64 MiB."""
EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(eq=False)
class Line:
    """What has to become of it: `kind` is `windows`, `fail2ban`, `ordinary` or `broken`."""

    number: int
    kind: str
    data: bytes
    file: object = None
    """The name that the file had in which it was written."""
    holed: bool = False
    """Whether a power cut put zeros in place of a part of it; its other bytes are still there."""
    joined: bool = False
    """Whether it stands behind what a crashed writer left of another one, on the same line."""
    excused: str = ""
    """Why it need not arrive: somebody else destroyed it."""
    delivered: int = 0
    """How many times it arrived."""
    may_repeat: int = 0
    """How many times that may have been once more."""

    @property
    def key(self):
        return b"KEY-%08d." % self.number

    def record(self):
        content = parse_alert(self.data)
        kind = kind_named(self.kind)
        assert kind in select().kinds(content)
        return record.build(kind, content, EPOCH)


@cache
def template(kind):
    """Return a line in two parts, with the place of the number between them."""
    content = {"windows": windows_alert, "fail2ban": fail2ban_alert, "ordinary": alert}[kind]("NUMBER")
    content["key"] = content["data"]["key"] = "KEY-@"
    if kind == "fail2ban":
        content["full_log"] += " KEY-@"
    return line(content)


KINDS = ["ordinary"] * 10 + ["windows"] * 5 + ["fail2ban"] * 4 + ["broken"]


def make_line(number, random, kinds=KINDS, *, near_limit=False):
    """Make an alert. `near_limit`: some reach the limit of a line just so, or just not, or go over it."""
    kind = random.choice(kinds)
    data = template("ordinary" if kind == "broken" else kind)
    if kind != "ordinary" and random.random() < 0.2:
        data = data.replace(b"example", "exämple€".encode())
    if kind in {"windows", "fail2ban"}:
        data = random.choice([data] * 6 + [data.replace(b"location", b"loc\xff\xfeation"), b"\0" * 40 + data, data[:-1] + b"\r\n"])
    data = data.replace(b"NUMBER", b"%d" % number).replace(b"KEY-@", b"KEY-%08d." % number)
    if near_limit and kind != "broken" and random.random() < 0.3:
        size = LINE_LIMIT_BYTES + random.choice([-300, -2, -1, 0, 1, 2, 3 * LINE_LIMIT_BYTES])
        end = len(data.rstrip(b"\r\n")) - 1
        data = data[:end] + b',"pad":"' + b"x" * (size - len(data) - 9) + b'"' + data[end:]
    if kind == "broken":
        data = random.choice([data[:-3] + b"\n", data[5:], data[:-1] + b"x" * (random.randint(0, 3) * LINE_LIMIT_BYTES + 5) + b"\n"])
    return Line(number, kind, data)
