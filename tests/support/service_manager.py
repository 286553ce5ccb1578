"""Stands in for systemd: the socket that a service of Type=notify tells its state to."""

import socket
import threading
import time


class ServiceManager:
    """Listens at `path` while the `with` block runs; `messages` are (seconds of the monotonic clock, text)."""

    def __init__(self, path):
        self.path = path
        self.messages = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self):
        self._socket.bind(str(self.path))
        self._thread.start()
        return self

    def __exit__(self, *_):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", str(self.path))
        self._thread.join(10)
        self._socket.close()

    def _listen(self):
        while data := self._socket.recv(4096):
            self.messages.append((time.monotonic(), data.decode()))

    def environment(self, watchdog_seconds=None):
        found = {"NOTIFY_SOCKET": str(self.path)}
        return found | ({"WATCHDOG_USEC": str(round(watchdog_seconds * 1e6))} if watchdog_seconds else {})

    def texts(self):
        return [text for _, text in self.messages]

    def count(self, start):
        return sum(text.startswith(start) for text in self.texts())

    def statuses(self):
        return [text.removeprefix("STATUS=") for text in self.texts() if text.startswith("STATUS=")]
