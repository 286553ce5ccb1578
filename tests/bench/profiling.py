"""Where the daemon's time goes by Python's own profiler, summed up by part: with TLS and without, the difference shows what TLS costs."""

import pstats
import sys

from bench.corpus import write_corpus
from bench.site import bench_site, make_daemon

PARTS = (
    ("waiting", ("select.epoll", "select.poll")),
    ("tls_openssl", ("_ssl.",)),
    ("tls_python", ("/ssl.py", "/asyncio/sslproto.py")),
    ("sockets", ("_socket.",)),
    ("compression", ("isal", "igzip", "cramjam", "zstd", "zlib")),
    ("aiokafka", ("/aiokafka/",)),
    ("event_loop", ("/asyncio/", "_asyncio.", "/anyio/", "_contextvars.")),
    ("daemon", ("/wazuh_dfn/",)),
)
"""The first that fits counts. Each has pieces of the names of files and of functions in C."""
REST = "rest"


def profile(options):
    """Deliver a corpus of relevant lines under the profiler, and return the seconds of each part."""
    with bench_site(options) as (folder, broker, topic):
        daemon = make_daemon(folder, broker, options)
        file = folder / "profile"
        daemon.python = [sys.executable, "-m", "cProfile", "-o", str(file)]
        corpus = write_corpus(daemon.alerts, options.lines, 1.0)
        with daemon:
            topic.wait_for(corpus.relevant, daemon)
            daemon.stop()
        return _by_part(pstats.Stats(str(file)))


def _by_part(stats):
    seconds = dict.fromkeys([*(name for name, _ in PARTS), REST], 0.0)
    for (file, _, function), (_, _, own, _, _) in stats.stats.items():
        where = function if file == "~" else file
        part = next((name for name, pieces in PARTS if any(piece in where for piece in pieces)), REST)
        seconds[part] += own
    return seconds
