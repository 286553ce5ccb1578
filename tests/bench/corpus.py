"""An alerts.json from a seed: ten kinds of alerts as a manager has them, about 1,310 bytes a line, a share of them relevant."""

import json
from dataclasses import dataclass
from pathlib import Path
from random import Random

from rich.console import Console
from rich.progress import track

WRITE_AT_ONCE = 2_000
BLOCK_LINES, BYTES_A_LINE = 80_000, 1_311
_NUMBER, _HOST, _USER, _ADDRESS, _TIME, _RANDOM = (f"@{name}@" for name in ("NUMBER", "HOST", "USER", "ADDRESS", "TIME", "RANDOM"))
_FILLER = "an ordinary day on an ordinary host, and the daemon that wrote this line had much to tell about it"


@dataclass(frozen=True)
class Corpus:
    path: Path
    lines: int
    relevant: int
    size: int


def _alert(description, groups, data, full_log, location, level=3):
    return {
        "timestamp": _TIME,
        "rule": {
            "level": level,
            "description": description,
            "id": "5715",
            "mitre": {"id": ["T1078", "T1021"], "tactic": ["Defense Evasion", "Persistence", "Lateral Movement"]},
            "firedtimes": 12,
            "mail": False,
            "groups": groups,
            "gdpr": ["IV_32.2"],
            "hipaa": ["164.312.b"],
            "nist_800_53": ["AU.14", "AC.7"],
            "pci_dss": ["10.2.5"],
        },
        "agent": {"id": "206", "name": _HOST, "ip": "198.51.100.60"},
        "manager": {"name": "wazuh-manager.example.org"},
        "id": f"1767319445.{_NUMBER}",
        "cluster": {"name": "wazuh", "node": "node01"},
        "full_log": full_log,
        "previous_output": f"{_RANDOM}",
        "predecoder": {"program_name": "sshd", "timestamp": "Jan  2 03:04:05", "hostname": _HOST},
        "decoder": {"name": "sshd"},
        "data": data,
        "location": location,
    }


def _windows(event_id):
    system = {
        "providerName": "Microsoft-Windows-Security-Auditing",
        "providerGuid": "{54849625-5478-4994-a5ba-3e3b0328c30d}",
        "eventID": event_id,
        "version": "0",
        "level": "0",
        "task": "12544",
        "keywords": "0x8010000000000000",
        "systemTime": "2026-01-02T02:04:05.0845300Z",
        "eventRecordID": _NUMBER,
        "processID": "624",
        "threadID": "640",
        "channel": "Security",
        "computer": _HOST,
        "severityValue": "AUDIT_FAILURE",
        "message": "An account was looked at.\r\n\r\nSubject:\r\n\tSecurity ID:\t\tS-1-0-0",
    }
    payload = {
        "subjectUserSid": "S-1-0-0",
        "logonGuid": _RANDOM,
        "targetUserName": _USER,
        "targetDomainName": "EXAMPLE",
        "status": "0xc000006d",
        "failureReason": "%%2313",
        "logonType": "3",
        "workstationName": _HOST,
        "ipAddress": _ADDRESS,
        "ipPort": "50000",
    }
    alert = _alert(
        "Windows event", ["windows", "windows_security"], {"win": {"system": system, "eventdata": payload}}, "", "EventChannel", 5
    )
    del alert["full_log"], alert["predecoder"]
    return alert


def _ban():
    data = {"program_name": "fail2ban.actions", "pid": _NUMBER, "severity": "NOTICE", "srcip": _ADDRESS}
    log = f"fail2ban: 2026-01-02 03:04:05,000 fail2ban.actions [{_NUMBER}]: NOTICE [sshd] Ban {_ADDRESS}"
    return _alert("fail2ban: an address was banned", ["fail2ban"], data, log, "/var/log/fail2ban.log")


def _ordinary():
    yield _alert(
        "PAM: Login session opened.", ["pam", "syslog"], {"dstuser": _USER, "uid": "0"}, f"sshd[4711]: {_FILLER}. " * 4, "/var/log/auth.log"
    )
    yield _alert("sshd: authentication success.", ["sshd"], {"srcip": _ADDRESS, "dstuser": _USER}, f"sshd[99]: {_FILLER}. " * 4, "journald")
    yield _alert(
        "Web server 400 error code.", ["web", "accesslog"], {"url": "/a?b=c", "id": "404"}, f"GET /a {_FILLER}. " * 4, "/var/log/access.log"
    )
    yield _alert(
        "Integrity checksum changed.",
        ["ossec", "syscheck"],
        {"sha256_after": "0123456789abcdef" * 4},
        f"File {_FILLER}. " * 3,
        "syscheck",
        7,
    )
    yield _alert(
        "Dpkg package installed.",
        ["syslog", "dpkg"],
        {"package": "libc6", "version": "2.36"},
        f"status {_FILLER}. " * 4,
        "/var/log/dpkg.log",
    )
    sca = {
        "sca": {"type": "check", "check": {"id": "1", "title": "Ensure that it is so", "rationale": f"{_FILLER}. " * 3, "result": "failed"}}
    }
    yield _alert("SCA: a benchmark check failed.", ["sca"], sca, "", "sca", 5)
    yield _windows("5156")
    yield _windows("4624")


RELEVANT = (_windows("4625"), _ban())
ORDINARY = tuple(_ordinary())


def _template(alert):
    return json.dumps(alert, separators=(",", ":")).encode()


def _lines(count, share, random, day):
    relevant, ordinary = [*map(_template, RELEVANT)], [*map(_template, ORDINARY)]
    hosts = [f"host-{number}.example.org" for number in range(200)]
    users = [f"user{number}" for number in range(500)]
    for number in range(count):
        is_relevant = random.random() < share
        address = f"203.0.113.{random.randrange(1, 255)}"
        at = 1_767_319_445 + number // 100
        time = f"{day}T{at // 3600 % 24:02}:{at // 60 % 60:02}:{at % 60:02}.{number % 1000:03}+0100"
        line = random.choice(relevant if is_relevant else ordinary)
        values = {
            _NUMBER: str(number),
            _HOST: random.choice(hosts),
            _USER: random.choice(users),
            _ADDRESS: address,
            _TIME: time,
            _RANDOM: random.randbytes(32).hex(),
        }
        for mark, value in values.items():
            line = line.replace(mark.encode(), value.encode())
        yield is_relevant, line + b"\n"


def write_corpus(path, lines, share, seed=1, day="2026-01-02"):
    """Write `lines` lines, of which about `share` (0 to 1) are relevant."""
    relevant, pending = 0, []
    with Path(path).open("wb") as file:
        for is_relevant, line in _lines(lines, share, Random(seed), day):
            relevant += is_relevant
            pending.append(line)
            if len(pending) == WRITE_AT_ONCE:
                file.writelines(pending)
                pending.clear()
        file.writelines(pending)
        return Corpus(Path(path), lines, relevant, file.tell())


def make_lines(lines, share, seed=1, day="2026-01-02"):
    """Return such lines, and how many are relevant. In a file beside `alerts.json` the daemon would take them for a copy, and read it."""
    made = [*_lines(lines, share, Random(seed), day)]
    return [line for _, line in made], sum(is_relevant for is_relevant, _ in made)


def write_backlog(path, size, share):
    """Write about `size` bytes: one block of 105 MB at most is made from the seed and stands there again and again, as a disk is faster."""
    block = write_corpus(path, min(BLOCK_LINES, size // BYTES_A_LINE), share)
    data, times = block.path.read_bytes(), round(size / block.size)
    with block.path.open("ab") as file:
        for _ in track(range(times - 1), "backlog: writing", console=Console(stderr=True)):
            file.write(data)
    return Corpus(block.path, times * block.lines, times * block.relevant, times * block.size)
