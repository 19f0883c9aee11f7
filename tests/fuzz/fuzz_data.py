"""What single fuzzers start from, out of tests/data and the unit tests' tables: a function for each,
of its name, that yields inputs; tests/fuzz/seeds has the rest."""
import functools
import gzip
import io
import pathlib
import re
import zipfile
import zlib

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "tests/data"
MESSAGE_MAX = 8192

STRING = r'"(?:[^"\\\n]|\\.)*"'
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "v": "\v", "f": "\f", "a": "\a", "b": "\b"}


def unescape(literal):
    """The bytes of one "..." of C."""
    def escape(match):
        what = match[1]
        if what[0] == "x":
            return chr(int(what[1:], 16) & 255)
        return chr(int(what, 8) & 255) if what[0] in "01234567" else ESCAPES.get(what, what)
    text = literal[1:-1].encode().decode("latin-1")
    return re.sub(r"\\(x[0-9a-fA-F]+|[0-7]{1,3}|.)", escape, text).encode("latin-1")


@functools.cache
def c_strings(path):
    """The strings of a source: literals that stand side by side are one, macros that are strings are
    replaced."""
    source = re.sub(r"/\*.*?\*/|^#include.*?$", "", path.read_text(), flags=re.S | re.M).replace("\\\n", "")
    macros = {}
    for name, value in re.findall(r"^#define (\w+) +(.*)$", source, re.M):
        parts = re.findall(rf"{STRING}|\S+", value)
        if all(part[0] == '"' or part in macros for part in parts):
            macros[name] = b"".join(macros[p] if p in macros else unescape(p) for p in parts)
    word = "|".join([STRING, *(rf"\b{name}\b" for name in sorted(macros, key=len, reverse=True))])
    body = re.sub(r"^#.*$", "", source, flags=re.M)
    return [b"".join(macros[p] if p in macros else unescape(p) for p in re.findall(word, run[0]))
            for run in re.finditer(rf"(?:{word})(?:\s*(?:{word}))*", body)]


def crlf(data):
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


@functools.cache
def messages():
    return list(read_messages())


def read_messages():
    for path in sorted((DATA / "mime").rglob("*")):
        if path.is_file() and path.suffix in (".eml", ".msg", ".txt") and path.name[0] != "." and \
                "LICENSE" not in path.name and path.parent != DATA / "mime":
            yield crlf(path.read_bytes())[:MESSAGE_MAX]


mime = header = summary = sort_key = smtp_data = text = messages


def fields(*names):
    pattern = rb"^(?:" + b"|".join(names) + rb"):[ \t]*((?:.|\n[ \t])*)$"
    for message in messages():
        head = message.split(b"\r\n\r\n", 1)[0].replace(b"\r\n", b"\n")
        yield from (value[1] for value in re.finditer(pattern, head, re.M | re.I))


def address():
    yield from fields(b"From", b"To", b"Cc", b"Reply-To")


def date():
    yield from fields(b"Date")


def decode():
    yield from fields(b"Subject", b"From", b"Content-Type", b"Content-Disposition")


def results():
    yield from fields(b"Authentication-Results", b"Received-SPF")
    yield from messages()


def html():
    for message in messages():
        at = message.lower().find(b"<html")
        if at >= 0:
            yield message[at:]


def transfer():
    for message in messages():
        for part in re.split(rb"\r\n\r\n", message)[1:]:
            yield part


def yaml_documents(path):
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return (document for document in yaml.load_all(path.read_text(), loader) if document)


def signed(path):
    """Key records by name, and the message."""
    dns, message = crlf(path.read_bytes()).split(b"\r\n\r\n", 1)
    return [line.split(b" ", 1)[1] for line in dns.split(b"\r\n") if b" " in line], message


def dkim():
    for path in sorted((DATA / "dkim/chasquid").glob("*.msg")):
        records = path.with_suffix(".dns")
        text = records.read_bytes().replace(b"\\\n", b"") if records.exists() else b""
        for record in re.findall(rb": *(.*)", text) or [b""]:
            yield record.strip() + b"\0" + crlf(path.read_bytes())
    keys = [path.read_bytes().strip() for path in sorted((DATA / "dkim/dkimpy").glob("*.pub*.txt"))]
    for path in sorted((DATA / "dkim/dkimpy").glob("*.msg")):
        for key in keys:
            yield b"v=DKIM1; k=rsa; p=" + re.sub(rb"\s|-----.*?-----", b"", key) + b"\0" + crlf(path.read_bytes())
    for path in sorted((DATA / "dkim/mail-auth").glob("*")):
        if path.suffix == ".txt":
            records, message = signed(path)
            yield from (record + b"\0" + message for record in records)


def tags():
    yield from (data.split(b"\0")[0] for data in dkim())


def arc():
    for path in sorted((DATA / "arc/mail-auth").glob("*.txt")):
        yield signed(path)[1]
    for name in ("arc-draft-validation-tests.yml", "arc-draft-sign-tests.yml"):
        for document in yaml_documents(DATA / "arc/valimail" / name):
            yield from (crlf(test["message"].encode()) for test in document["tests"].values())


def zone_texts(zone):
    for records in zone.values():
        for record in records or ():
            for kind, text in record.items() if isinstance(record, dict) else ():
                if kind in ("SPF", "TXT"):
                    yield "".join(text) if isinstance(text, list) else str(text)


def spf():
    """An address, a sender, a HELO name, then the texts of the zone, the domain's own first."""
    for document in yaml_documents(DATA / "spf/rfc7208/rfc7208-tests.yml"):
        zone = {name.lower(): records for name, records in document["zonedata"].items()}
        for test in document["tests"].values():
            sender, helo = test["mailfrom"] or "", test["helo"] or ""
            domain = sender.rpartition("@")[2].lower() or helo.lower()
            texts = [*zone_texts({domain: zone.get(domain)}), *zone_texts(zone)]
            lines = [test["host"], sender, helo, *texts]
            yield "\n".join(lines).encode(errors="replace") + b"\n"
    for path in sorted((DATA / "spf/mail-auth").glob("*.yml")):
        for document in yaml_documents(path):
            records = [line.split(" ", 1)[-1] for kind in ("spf", "txt")
                       for line in ((document["records"] or {}).get(kind) or "").splitlines()]
            for test in document["tests"]:
                lines = [test.get("ip", "192.0.2.1"), test.get("sender", ""), test.get("helo", ""), *records]
                yield "\n".join(str(line) for line in lines).encode() + b"\n"


def dmarc_report():
    for xml in c_strings(ROOT / "tests/unit/message/test_dmarc_report.c"):
        if xml.startswith(b"<"):
            yield gzip.compress(xml, mtime=0)
            archive = io.BytesIO()
            with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
                file.writestr(zipfile.ZipInfo("report.xml"), xml)
            yield archive.getvalue()


def pieces(data):
    for message in messages():
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        yield data + packer.compress(message) + packer.flush(zlib.Z_SYNC_FLUSH)


def deflate():
    yield from pieces(b"\x40")
    yield b"\x40" + bytes.fromhex("010500fa") + b"hello"     # stored, and the end


def packet(word):
    """A word of tests/unit/smtpd/milter_play.h as a packet."""
    data = word[1:].replace(b"|", b"\0").replace(b"_", b" ")
    if word[:1] in b"im" and b"," in data:
        index, data = data.split(b",", 1)
        data = int(index or b"0").to_bytes(4, "big") + data
    if word[:1] == b"O":
        data = b"\0\0\0\6\0\0\0\xff" + int(data or b"0", 16).to_bytes(4, "big")
    return (len(data) + 1).to_bytes(4, "big") + word[:1] + data


MILTER_CHANGES = [b"c", b"a", b"bNew_body\n bmore a", b"hX-A|b| i1,X-B|c| m1,From|d| c", b"e<x@y.test>| c",
                  b"+<x@y.test>| -<a@b.test>| c", b"qheld| c", b"p p s c", b"4", b"f", b"O0", b"y550_5.7.1_no|"]
SCRIPT = rb"(?:O[0-9a-f]*|[acdrtpqs]|[a-z+-][^ ]*\||[im]\d,[^ ]*\|)(?: (?:[acdrtpqsb]\S*|[a-z+-][^ ]*\||[im]\d,[^ ]*\|))*"


def milter():
    at_end = [b"O0 " + b"c " * 10 + word for word in MILTER_CHANGES]
    for name in ("test_milter.c", "test_filter.c"):
        for script in [*c_strings(ROOT / "tests/unit/smtpd" / name), *at_end]:
            if re.fullmatch(SCRIPT, script) or script in at_end:
                bytes_ = b"".join(packet(word) for word in script.split())
                yield (b"\1" if script[:1] == b"O" else b"\2") + bytes_
                yield (b"\x41" if script[:1] == b"O" else b"\x42") + bytes_


def milter_frame():
    yield from (data[1:] for data in milter())


def trigram():
    """Texts that have much in common; then some of all bytes, as base64 and the like have them, so that
    they are signed."""
    bodies = [message.split(b"\r\n\r\n", 1)[-1].replace(b"\0", b"")[:1000].upper() for message in messages()]
    yield from (b"\x80" + b"\0".join(bodies[i:i + 8]) for i in range(0, len(bodies), 8))
    mixed = bytes(1 + (i * i * 7 + i // 3 * 31 + i // 255) % 255 for i in range(6000))
    yield b"\x40" + mixed + b"\0" + mixed[100:1500] + b"\0text"
    yield b"\x10" + zlib.compress(b"".join(bodies)).replace(b"\0", b"x")[:8000]
