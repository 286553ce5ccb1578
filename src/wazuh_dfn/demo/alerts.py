"""Alerts like Wazuh's for the demo: mostly irrelevant ones, some logons, some bans."""

from __future__ import annotations

import json
from datetime import datetime
from random import Random
from typing import Any


def alert_line(number: int, random: Random, now: datetime) -> bytes:
    """Return one line for alerts.json. About one in ten is relevant."""
    kind = random.choices(("noise", "logon", "ban"), (18, 1, 1))[0]
    content: dict[str, Any] = {
        "timestamp": now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}" + now.strftime("%z"),
        "rule": {"level": 3, "description": "PAM: Login session opened.", "groups": ["pam", "syslog"]},
        "agent": {"id": "007", "name": "host-7.example.org", "ip": "198.51.100.7"},
        "id": f"{int(now.timestamp())}.{number}",
        "full_log": "sshd[4711]: pam_unix(sshd:session): session opened for user alice",
        "data": {"dstuser": "alice"},
        "location": "/var/log/auth.log",
    }
    if kind == "logon":
        content["rule"] = {"level": 5, "description": "Logon failure", "groups": ["windows", "authentication_failed"]}
        content["data"] = _failed_logon(number, random)
    elif kind == "ban":
        address = f"203.0.113.{random.randrange(1, 255)}"
        content["rule"] = {"level": 3, "description": "fail2ban: ban", "groups": ["fail2ban"]}
        content["data"] = {"program_name": "fail2ban.actions", "pid": "1235", "severity": "NOTICE", "srcip": address}
        content["full_log"] = f"fail2ban: {now:%Y-%m-%d %H:%M:%S},000 fail2ban.actions [1235]: NOTICE [sshd] Ban {address}"
    return json.dumps(content, separators=(",", ":")).encode() + b"\n"


def _failed_logon(number: int, random: Random) -> dict[str, Any]:
    system = {
        "providerName": "Microsoft-Windows-Security-Auditing",
        "providerGuid": "{54849625-5478-4994-a5ba-3e3b0328c30d}",
        "eventID": "4625",
        "version": "0",
        "level": "0",
        "task": "12544",
        "opcode": "0",
        "keywords": "0x8010000000000000",
        "systemTime": "2026-01-01T00:00:00.0000000Z",
        "eventRecordID": str(number),
        "processID": "624",
        "threadID": "640",
        "channel": "Security",
        "computer": "dc-1.example.org",
    }
    payload = {"targetUserName": random.choice(("alice", "bob", "root")), "logonType": "3", "ipAddress": "203.0.113.9", "ipPort": "50000"}
    return {"win": {"system": system, "eventdata": payload}}
