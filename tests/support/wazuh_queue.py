"""A real socket as Wazuh's queue: datagrams or a stream; it can be read, left full, closed and opened again."""

import json
import socket
import threading


class WazuhQueue:
    """Listens at `path`; `reads` tells whether somebody empties the receive buffer."""

    def __init__(self, path, kind=socket.SOCK_DGRAM, *, reads=True):
        self.path = path
        self.kind = kind
        self.reads = reads
        self.messages = []
        self._threads = []

    def __enter__(self):
        return self.open()

    def __exit__(self, *_):
        self.close()

    def open(self):
        self._socket = socket.socket(socket.AF_UNIX, self.kind)
        self._socket.bind(str(self.path))
        if self.kind == socket.SOCK_STREAM:
            self._socket.listen()
        if self.reads:
            self._start(self._receive if self.kind == socket.SOCK_DGRAM else self._accept, self._socket)
        return self

    def close(self):
        """Stop as Wazuh does: the path goes with the socket."""
        self.path.unlink(missing_ok=True)
        if self.reads:
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(5)
        self._threads.clear()

    def read_all(self):
        """Empty the receive buffer of a queue that nobody reads."""
        self._socket.settimeout(0.2)
        try:
            while True:
                self.messages.append(self._socket.recv(70_000))
        except TimeoutError:
            return self.messages

    def contents(self):
        return [json.loads(message[message.index(b":{") + 1 :]) for message in list(self.messages)]

    def delivered(self):
        """Return the ids of the alerts that it was told are delivered."""
        return [content["alert_id"] for content in self.contents() if "dfn" in content]

    def errors(self):
        return [content["description"] for content in self.contents() if content.get("error") == 503]

    def greetings(self):
        return [content["description"] for content in self.contents() if content.keys() == {"integration", "description"}]

    def _start(self, function, argument):
        thread = threading.Thread(target=function, args=(argument,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _receive(self, listener):
        while message := listener.recv(70_000):
            self.messages.append(message)

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as lines:
                self.messages.extend(line.removesuffix(b"\n") for line in lines)
