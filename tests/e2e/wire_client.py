"""A client that sends what it likes and reads the answer as it is.

    with WireClient(server, "alice@example.test") as client:
        answer = client.command("SELECT INBOX")      # all that came, up to the tagged line
"""
import re
import socket

from server import PASSWORD, PATIENCE


class WireClient:
    def __init__(self, server, user=None, password=PASSWORD):
        plain = socket.create_connection(("localhost", server.ports["imaps"]), timeout=PATIENCE)
        self.socket = server.tls.wrap_socket(plain, server_hostname="localhost")
        self.stream = self.socket.makefile("rb")
        self.count = 0
        assert self.stream.readline().startswith(b"* OK")
        if user is not None:
            assert b"OK" in self.command(f'LOGIN {user} "{password}"')

    def send(self, line):
        """A line, or bytes as they are."""
        self.socket.sendall(line if isinstance(line, bytes) else f"{line}\r\n".encode())

    def answer(self, tag):
        """Everything up to the line with the tag; literals may hold what they like."""
        lines = []
        while not lines or not lines[-1].startswith(tag.encode() + b" "):
            line = self.stream.readline()
            assert line, f"hung up behind {lines[-3:]}"
            lines.append(line)
            while literal := re.search(rb"\{(\d+)\}\r\n$", line):
                lines.append(self.stream.read(int(literal[1])))
                line = self.stream.readline()
                lines.append(line)
        return b"".join(lines)

    def command(self, text):
        self.count += 1
        tag = f"a{self.count}"
        self.send(f"{tag} {text}")
        return self.answer(tag)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.socket.close()
