"""Results as a table, as JSON, and delays as a picture."""

import platform
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table


def machine():
    """Return what the figures depend on besides the code."""
    [model, *_] = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
    ] or [platform.machine()]
    return {"processor": model, "python": platform.python_version(), "system": platform.system(), "release": platform.release()}


def table(title, rows):
    """Print a table; the keys of the first row are its columns."""
    shown = Table(title=title, title_justify="left")
    for column in rows[0]:
        shown.add_column(column, justify="left" if column == "what" else "right")
    for row in rows:
        shown.add_row(*map(str, row.values()))
    Console(highlight=False, width=None if sys.stdout.isatty() else 140).print(shown)


def number(value):
    """Round for people: three digits that count."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def plot_delays(name, seconds, path):
    """Draw the distribution of the delays."""
    import matplotlib as mpl  # noqa: PLC0415 - only for this

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    milliseconds = sorted(1000 * each for each in seconds)
    figure, axes = plt.subplots(figsize=(8, 4), constrained_layout=True)
    axes.hist(milliseconds, bins=60, color="#0b57b5")
    for share, style in ((0.5, "-"), (0.99, "--")):
        at = milliseconds[int(share * (len(milliseconds) - 1))]
        axes.axvline(at, color="#b3261e", linestyle=style, label=f"p{share * 100:.0f}: {at:.0f} ms")
    axes.set(xlabel="delay from the last byte of the line to the consumer (ms)", ylabel="alerts", title=f"{name} at 500 alerts/s")
    axes.legend()
    figure.savefig(path, dpi=120)
