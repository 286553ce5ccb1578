"""Where the simulated Wazuh keeps its alerts."""

from datetime import date
from pathlib import Path

FOLDER = Path("/alerts")
ALERTS = FOLDER / "alerts.json"
FIRST_DAY = date(2026, 1, 30)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def dated(day, number=0):
    """Return the name of the file of a day, or of one of its further ones."""
    suffix = f"-{number:03d}" if number else ""
    return FOLDER / f"{day:%Y}" / MONTHS[day.month - 1] / f"ossec-alerts-{day:%d}{suffix}.json"
