"""Plays the DNS for spfcheck: a zone in memory, and queries answered from it."""
import ipaddress
import subprocess

A, CNAME, PTR, MX, TXT, AAAA = 1, 5, 12, 15, 16, 28
RDATA_MAX = 65535


def name_rdata(name):
    out = b""
    for label in name.rstrip(".").encode("latin-1").split(b"."):
        out += bytes([len(label)]) + label if label else b""
    return out + b"\0"


def text_rdata(strings):
    """Strings of any length: cut into pieces of 255."""
    out = b""
    for text in strings:
        for at in range(0, max(len(text), 1), 255):
            piece = text[at:at + 255]
            out += bytes([len(piece)]) + piece
    return out


def address_rdata(text):
    return ipaddress.ip_address(text).packed


def mx_rdata(preference, host):
    return preference.to_bytes(2, "big") + name_rdata(host)


class Zone:
    """Names (any case, no last dot) to records by type; and names or questions that fail."""

    def __init__(self):
        self.records = {}
        self.failing = set()

    def add(self, name, kind, rdata):
        self.records.setdefault(name.lower().rstrip("."), {}).setdefault(kind, []).append(rdata)

    def fail(self, name, kind=None):
        self.failing.add((name.lower().rstrip("."), kind))

    def fails(self, name, kind):
        return (name, None) in self.failing or (name, kind) in self.failing

    def ask(self, name, kind):
        """("found", [rdata]), ("nothing", []), ("no_name", []) or ("failed", [])."""
        name = name.lower().rstrip(".")
        for _ in range(10):
            if self.fails(name, kind):
                return "failed", []
            if name not in self.records:
                return "no_name", []
            records = self.records[name]
            if records.get(kind):
                return "found", records[kind]
            if CNAME not in records:
                return "nothing", []
            name = records[CNAME][0]
        return "failed", []


class Checker:
    """A running spfcheck."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def send(self, *words):
        self.process.stdin.write((" ".join(words) + "\n").encode())
        self.process.stdin.flush()

    def check(self, zone, address, helo, sender):
        """Returns (result, explanation, reason)."""
        hexed = [text.encode("latin-1").hex() or "-" for text in (helo, sender)]
        self.send("check", address, *hexed)
        while True:
            line = self.process.stdout.readline().decode()
            word, *rest = line.rstrip("\n").split(" ", 3)
            if word == "ask":
                name = bytes.fromhex(rest[1]).decode("latin-1")
                state, records = zone.ask(name, int(rest[0]))
                self.send(state, *(record.hex() for record in records))
            elif word == "result":
                explanation = "" if rest[1] == "-" else bytes.fromhex(rest[1]).decode()
                return rest[0], explanation, rest[2]
            else:
                raise RuntimeError(f"spfcheck ended: {line!r}")
