"""Plays a dialogue from tests/wire against a server.

A dialogue is a text file. Blank lines and lines starting with # are left out.

    SET section key value   at the beginning: on a server of its own that has this setting
    ON imap [tls]      which port, and whether TLS starts at once
    TLS                the TLS handshake, after STARTTLS or STLS was accepted
    C: text            send the line, with CRLF
    C| text            send exactly this; \\r \\n \\0 \\xHH \\\\ are bytes, * N repeats: C| a * 5000
    S: text            the next line is exactly this
    S~ regex           the next line matches this in full
    S* regex           skip lines until one matches
    DEFLATE            from here both directions are compressed (COMPRESS of IMAP)
    CLEAR              from here they are not
    END                the server hangs up
    AS name            what follows is said on another connection; ON opens it the first time
    WHOLE              not to be played byte by byte: what comes in one packet matters

A named group of an S~ or S*, (?P<name>...), is {name} in what follows. Also
{user}, {url} (the same as part of a URL), {pass}, {plain} (the SASL PLAIN response in base64)
stand for the account of the test.
"""
import base64
import re
import socket
import ssl
import time
import zlib

PATIENCE = 30


def parse(path):
    """[(keyword, text), ...]"""
    steps = []
    for line in path.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        match = re.fullmatch(r"(C:|C\||S:|S~|S\*|ON|TLS|DEFLATE|CLEAR|END|WHOLE|AS|SET) ?(.*)", line)
        assert match, f"{path.name}: what is this? {line}"
        steps.append(match.groups())
    return steps


def settings(path):
    """What the dialogue wants of its server; empty: any will do."""
    found = {}
    for keyword, text in parse(path):
        if keyword == "SET":
            section, key, value = text.split(" ", 2)
            found.setdefault(section, {})[key] = value
    return found


def raw_bytes(text):
    times = 1
    if repeat := re.fullmatch(r"(.*) \* (\d+)", text):
        text, times = repeat[1], int(repeat[2])
    return text.encode().decode("unicode_escape").encode("latin-1") * times


class Player:
    def __init__(self, server, user, password, split):
        """`split`: send every byte by itself."""
        self.server, self.split = server, split
        plain = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        self.words = {"{user}": user, "{url}": user.replace("@", "%40"), "{pass}": password,
                      "{plain}": plain}
        self.socket = self.stream = None
        self.packer = self.unpacker = None
        self.unpacked = b""
        self.name, self.others = "", {}

    def fill_in(self, text, quote=lambda value: value):
        for word, value in self.words.items():
            text = text.replace(word, quote(value))
        return text

    def learn(self, match):
        self.words.update({"{%s}" % name: value for name, value in match.groupdict().items()})

    def open(self, port, tls=""):
        self.socket = socket.create_connection(("localhost", self.server.ports[port]), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.start_tls()
        self.stream = self.socket.makefile("rb")

    def start_tls(self):
        self.socket = self.server.tls.wrap_socket(self.socket, server_hostname="localhost")
        self.stream = self.socket.makefile("rb")

    def change_to(self, name):
        self.others[self.name] = self.socket, self.stream
        self.name = name
        self.socket, self.stream = self.others.pop(name, (None, None))

    def send(self, data):
        if self.packer is not None:
            data = self.packer.compress(data) + self.packer.flush(zlib.Z_SYNC_FLUSH)
        if not self.split:
            self.socket.sendall(data)
            return
        for i in range(len(data)):
            self.socket.sendall(data[i:i + 1])
            time.sleep(0.0002)

    def deflate(self):
        self.packer = zlib.compressobj(wbits=-15)
        self.unpacker = zlib.decompressobj(-15)

    def clear(self):
        assert self.unpacked == b"", f"more than expected: {self.unpacked}"
        self.packer = self.unpacker = None

    def read_line(self):
        if self.unpacker is None:
            return self.stream.readline()
        while b"\n" not in self.unpacked:
            packed = self.stream.read1(65536)
            if not packed:
                return b""
            self.unpacked += self.unpacker.decompress(packed)
        line, _, self.unpacked = self.unpacked.partition(b"\n")
        return line + b"\n"

    def line(self):
        line = self.read_line()
        assert line, "the server hung up"
        assert line.endswith(b"\r\n"), f"a line without CRLF: {line!r}"
        return line[:-2].decode("utf-8", "backslashreplace")

    def expect_end(self):
        try:
            rest = self.stream.read()
        except (ConnectionResetError, ssl.SSLError):
            rest = b""
        assert rest == b"", f"instead of hanging up: {rest!r}"

    def step(self, keyword, text):
        if keyword == "ON":
            self.open(*text.split())
        elif keyword == "TLS":
            self.start_tls()
        elif keyword == "DEFLATE":
            self.deflate()
        elif keyword == "CLEAR":
            self.clear()
        elif keyword == "C:":
            self.send(self.fill_in(text).encode() + b"\r\n")
        elif keyword == "C|":
            self.send(raw_bytes(self.fill_in(text)))
        elif keyword == "S:":
            wanted, got = self.fill_in(text), self.line()
            assert got == wanted, f"got {got!r}, wanted {wanted!r}"
        elif keyword == "S~":
            pattern, got = self.fill_in(text, re.escape), self.line()
            match = re.fullmatch(pattern, got)
            assert match, f"got {got!r}, wanted /{pattern}/"
            self.learn(match)
        elif keyword == "S*":
            pattern = self.fill_in(text, re.escape)
            while not (match := re.fullmatch(pattern, self.line())):
                pass
            self.learn(match)
        elif keyword == "END":
            self.expect_end()
        elif keyword == "AS":
            self.change_to(text)

    def play(self, path):
        try:
            for number, (keyword, text) in enumerate(parse(path), 1):
                try:
                    self.step(keyword, text)
                except (AssertionError, TimeoutError) as error:
                    raise AssertionError(f"{path.name}, step {number} ({keyword} {text}): "
                                         f"{error}") from None
        finally:
            for connection, _ in [(self.socket, None), *self.others.values()]:
                if connection is not None:
                    connection.close()
