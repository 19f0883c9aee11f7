#!/usr/bin/python3
"""DKIM messages of chasquid, dkimpy and mail-auth (tests/data/dkim), each a case: TAP.

usage: dkim_vectors.py PROOFTOOL
"""
import json
import sys

from prooftool import DATA, Tap, Tool, crlf, read_exceptions

FOLDER = DATA / "dkim"
NOW = 1750000000  # after all of the messages

# What chasquid's states may be in RFC 8601's words.
STATES = {
    "SUCCESS": ("pass",),
    "PERMFAIL": ("fail", "permerror", "neutral", "policy"),
    "TEMPFAIL": ("temperror",),
}


def chasquid_dns(path):
    records = {}
    text = path.read_text().replace("\\\n", "") if path.exists() else ""
    for line in filter(None, (line.strip() for line in text.splitlines())):
        name, record = (part.strip() for part in line.split(":", 1))
        if record in ("TEMPERROR", "PERMERROR"):
            records[name] = "!failed" if record == "TEMPERROR" else "!nothing"
        else:
            records.setdefault(name, []).append(record)
    return records


def chasquid(tap, tool):
    for path in sorted((FOLDER / "chasquid").glob("*.msg")):
        result = path.with_suffix(".result")
        published = json.loads(result.read_text())["Results"] if result.exists() else []
        got = tool.dkim(crlf(path.read_bytes()), chasquid_dns(path.with_suffix(".dns")),
                        now=NOW)
        name = f"chasquid/{path.stem}"
        tap.case(f"{name} count", len(got), len(published))
        for i, (ours, theirs) in enumerate(zip(got, published)):
            tap.case(f"{name} {i}", ours["result"], STATES[theirs["State"]])
            if theirs["Domain"]:
                tap.case(f"{name} {i} signer", (ours["domain"], ours["selector"], ours["start"]),
                         ((theirs["Domain"], theirs["Selector"], theirs["B"][:8]),))


def mail_auth(tap, tool):
    for path in sorted((FOLDER / "mail-auth").glob("dkim-*.txt")):
        dns, message = crlf(path.read_bytes()).split(b"\r\n\r\n", 1)
        records = dict(line.split(" ", 1) for line in dns.decode().splitlines())
        records = {name: [text] for name, text in records.items()}
        published = "fail" if b" x=" in message else "pass"  # x= is a day after 2022-11-07
        got = tool.dkim(message, records, NOW)
        tap.case(f"mail-auth/{path.stem}", {v["result"] for v in got}, ({published},))


def read(name):
    return (FOLDER / "dkimpy" / name).read_bytes()


def record(name):
    return [read(name).decode().strip()]


GMAIL = ("k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA1Kd87/UeJjenpabgbFwh"
         "+eBCsSTrqmwIYYvywlbhbqoo2DymndFkbjOVIPIldNs/m40KF+yzMn1skyoxcTUGCQs8g3FgD2Ap3ZB5DekAo5wM"
         "mk4wimDO+U8QzI3SD07y2+07wlNWwIt8svnxgdxGkVbbhzY8i+RQ9DpSVpPbF7ykQxtKXkv/ahW3KjViiAH+ghvv"
         "Ihkx4xYSIc9oSwVmAl5OctMEeWUwg8Istjqz8BZeTWbf41fbNhte7Y+YqZOwq1Sd0DbvYAD9NOZK9vlfuac0598H"
         "Y+vtSBczUiKERHv1yRbcaQtZFh5wtiRrN04BLUTD21MycBX5jYchHjPY/wIDAQAB")
BRISBANE = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
FOOTBALL = "._domainkey.football.example.com"

# Message, records, what dkimpy's own tests expect: whether each signature verifies.
DKIMPY_MESSAGES = [
    ("rfc6376.signed.msg",
     {"brisbane" + FOOTBALL: [BRISBANE], "test" + FOOTBALL: record("test.txt")}, [True, True]),
    ("rfc6376.signed.rsa.msg", {"test" + FOOTBALL: record("test.txt")}, [True]),
    ("test2.message", {"20120113._domainkey.gmail.com": [GMAIL]}, [True]),
    ("ed25519test2.msg", {"sed._domainkey.test.ex": record("eximtest.dns")}, [True]),
    ("test.message.baddomain", {"test._domainkey.legitimate.com(.attacker.com": record("test.txt")},
     [False]),
] + [(name, {}, []) for name in (
    "ed25519test.msg", "rfc6376.msg", "rfc6376.w1258.msg", "test.message", "test_extra.message",
    "test_nofrom.message")]

# Key records, with a message that another key has signed: is the key read, or what is wrong?
WRONG = "signature did not verify"
DKIMPY_RECORDS = {
    "1024_testkey_wo_markers.pub.rsa.txt": WRONG,
    "1024_testkey_wo_markers.pub.txt": WRONG,
    "2048_testkey_PKCS8.key.pub.txt": WRONG,
    "2048_testkey_wo_markers.pub.rsa.txt": WRONG,
    "2048_testkey_wo_markers.pub.txt": WRONG,
    "badk.txt": "unknown key type",
    "badversion.txt": "key record of another version",
    "ed25519test.dns": "key is of another algorithm",
    "eximtest.dns": "key is of another algorithm",
    "test.txt": "",
    "test2.txt": "",
    "test_bad.txt": "p= is no key of its type",
    "test_tlsrpt.txt": "key is not for mail",
}


def dkimpy(tap, tool):
    for name, records, published in DKIMPY_MESSAGES:
        got = tool.dkim(crlf(read(name)), records, now=NOW)
        tap.case(f"dkimpy/{name}", [v["result"] == "pass" for v in got], (published,))
    for name, published in DKIMPY_RECORDS.items():
        got = tool.dkim(crlf(read("rfc6376.signed.rsa.msg")), {"test" + FOOTBALL: record(name)},
                        now=NOW)
        tap.case(f"dkimpy/{name}", got[0]["reason"], published)


def main():
    tap, tool = Tap(read_exceptions(FOLDER / "exceptions.txt")), Tool(sys.argv[1])
    chasquid(tap, tool)
    dkimpy(tap, tool)
    mail_auth(tap, tool)
    tool.close()
    tap.end()


if __name__ == "__main__":
    main()
