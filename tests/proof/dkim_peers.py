#!/usr/bin/python3
"""DKIM and ARC with dkimpy on generated messages, always the same ones: TAP.

Ours signs and theirs verifies, theirs signs and ours verifies, signed messages with one byte
changed are judged alike by both, and chains grow by hops of either.

usage: dkim_peers.py PROOFTOOL
"""
import logging
import random
import re
import sys
import types

from prooftool import DATA, Tap, Tool, read_exceptions

try:
    import dkim
except ImportError as error:
    print(f"1..0 # SKIP {error}")
    sys.exit(0)

MESSAGES, CHAINS = 200, 30
NOW = 1700000000
RFC8463 = (DATA.parent / "unit/support/keys.h").read_text()
DOMAIN = "football.example.com"


def literal(name):
    """A string macro of keys.h."""
    body = re.search(rf"#define {name}\s((?:.*\\\n)*.*)", RFC8463).group(1)
    return "".join(re.findall(r'"([^"]*)"', body)).replace("\\n", "\n")


# Key type: selector, key for us, key for dkimpy, its record.
KEYS = {
    "rsa": ("test", literal("RFC8463_RSA_PEM").encode(), literal("RFC8463_RSA_PEM").encode(),
            "v=DKIM1; k=rsa; p=" + literal("RFC8463_RSA_PUBLIC")),
    "ed25519": ("brisbane", literal("RFC8463_ED25519_PEM").encode(),
                b"nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=",
                "v=DKIM1; k=ed25519; p=" + literal("RFC8463_ED25519_PUBLIC")),
}
RECORDS = {f"{selector}._domainkey.{DOMAIN}": [record] for selector, _, _, record in KEYS.values()}


def lookup(name, timeout=5):
    found = RECORDS.get(name.decode("ascii", "replace").rstrip("."))
    return found[0].encode() if found else None


# --- messages ---

WORDS = [b"hello", b"World", b"x", b"=20", b"a;b", b"a:b", b"<joe@example.com>",
         b"\xc3\xa4\xc3\xb6", b"\xff\xfe", b"\"q\\\"q\"", b"(c)", b"=?utf-8?q?=C3=A4?=", b"b=", b"k" * 80, b"."]
BLANKS = [b" ", b"  ", b"\t", b" \t ", b"\r\n ", b"\r\n\t", b" \r\n  "]
NAMES = [b"Subject", b"TO", b"cc", b"Date", b"Message-ID", b"Received", b"Received", b"X-Odd",
         b"List-Id", b"References", b"Content-Type", b"MIME-Version", b"x-y_z.1", b"Reply-To"]


def value(rng):
    text = rng.choice([b"", b" ", b"\t", b"  ", b"\r\n "])
    for _ in range(rng.randint(0, 6)):
        text += rng.choice(WORDS) + rng.choice(BLANKS)
    text = text if rng.random() < 0.3 else text.rstrip()
    # A line of blanks alone ends the header for many; it is obsolete syntax.
    text = re.sub(rb"\r\n[ \t]+(?=\r\n|$)", b"", text)
    return text


def body(rng):
    kind = rng.randint(0, 9)
    if kind == 0:
        return b""
    if kind == 1:
        return b"\r\n" * rng.randint(1, 4)
    lines = []
    for _ in range(rng.randint(1, 12)):
        line = b"".join(rng.choice(WORDS + [b" ", b"  ", b"\t"]) for _ in range(rng.randint(0, 5)))
        lines.append(line if rng.random() < 0.8 else line + b" \t")
    lines += [rng.choice([b"", b" ", b"\t "])] * rng.randint(0, 3)
    text = b"\r\n".join(lines)
    # Relaxed, blanks at the end of a last line without CRLF are dropped like others (RFC 6376
    # section 3.4.4); dkimpy keeps one. known_difference() has such a body.
    return text.rstrip(b" \t") if kind == 2 else text + b"\r\n"


def message(rng):
    # No blank before the colon: obsolete syntax, and dkimpy refuses to read it.
    fields = [rng.choice(NAMES) + b":" + value(rng) for _ in range(rng.randint(0, 9))]
    fields.append(b"From: Joe SixPack <joe@football.example.com>")
    rng.shuffle(fields)
    return b"\r\n".join(fields) + b"\r\n\r\n" + body(rng)


# --- DKIM ---

def theirs_verifies(text):
    """Their verdicts, in order; a message that they refuse to read has none that are good."""
    count = len(re.findall(rb"(?mi)^DKIM-Signature[ \t]*:", text.split(b"\r\n\r\n", 1)[0]))
    verdicts = []
    for i in range(count):
        try:
            verdicts.append(bool(dkim.DKIM(text, logger=logging.getLogger("dkimpy")).verify(
                i, dnsfunc=lookup)))
        except Exception:  # pylint: disable=broad-except
            verdicts.append(False)
    return verdicts


def ours_verifies(tool, text):
    return [verdict["result"] == "pass" for verdict in tool.dkim(text, RECORDS, NOW)]


def theirs_signs(rng, text):
    key = rng.choice(list(KEYS))
    selector, _, secret, _ = KEYS[key]
    forms = rng.choice([b"simple", b"relaxed"]), rng.choice([b"simple", b"relaxed"])
    present = {name.strip().lower() for name in re.findall(rb"(?m)^([\x21-\x39\x3b-\x7e]+)[ \t]*:",
                                                          text.split(b"\r\n\r\n", 1)[0])}
    names = [b"from"] + rng.sample(sorted(present), rng.randint(0, len(present)))
    names += rng.choices([b"from", b"subject", b"to", b"received", b"absent"], k=rng.randint(0, 4))
    signer = dkim.DKIM(text, signature_algorithm=f"{key}-sha256".encode())
    signer.should_not_sign = set()
    return signer.sign(selector.encode(), DOMAIN.encode(), secret, canonicalize=forms,
                       include_headers=names)


def ours_signs(rng, tool, text):
    selector, secret, _, _ = KEYS[rng.choice(list(KEYS))]
    return tool.sign(secret, DOMAIN, selector, text, NOW)


def changed(rng, text):
    """One byte of it is another; not such that lines end or begin elsewhere."""
    while True:
        at = rng.randrange(len(text))
        if text[at] not in b"\r\n:":
            return text[:at] + bytes([rng.choice(b"aA \t=;b")]) + text[at + 1:]


def good_ones(verdicts):
    """Which are good; where a change has spoilt the header, the number of all may differ."""
    return [i for i, good in enumerate(verdicts) if good]


def known_difference(tap, tool):
    text = b"From: joe@football.example.com\r\n\r\nno line end \t"
    ours = tool.sign(KEYS["rsa"][1], DOMAIN, KEYS["rsa"][0], text, NOW) + text
    tap.case("blanks without a line end", ours_verifies(tool, ours), theirs_verifies(ours))


def dkim_cases(tap, tool):
    rng = random.Random(6376)
    for i in range(MESSAGES):
        text = message(rng)
        ours = ours_signs(rng, tool, text) + text
        tap.case(f"message {i}: ours signs, theirs verifies", theirs_verifies(ours), [True])
        tap.case(f"message {i}: ours signs, ours verifies", ours_verifies(tool, ours), [True])
        theirs = theirs_signs(rng, text) + text
        tap.case(f"message {i}: theirs signs, ours verifies", ours_verifies(tool, theirs), [True])
        many = text
        for _ in range(rng.randint(2, 10)):
            sign = rng.choice([lambda t: ours_signs(rng, tool, t), lambda t: theirs_signs(rng, t)])
            many = sign(many) + many
        tap.case(f"message {i}: many signatures", ours_verifies(tool, many), theirs_verifies(many))
        for n in range(3):
            other = changed(rng, rng.choice([ours, theirs, many]))
            tap.case(f"message {i}: changed {n}", good_ones(ours_verifies(tool, other)),
                     good_ones(theirs_verifies(other)))
    known_difference(tap, tool)


# --- ARC ---

def theirs_seals(text, status):
    selector, _, secret, _ = KEYS["rsa"]
    results = f"Authentication-Results: mx.example.org; arc={status}; spf=pass\r\n".encode()
    return b"".join(dkim.arc_sign(results + text, selector.encode(), DOMAIN.encode(), secret,
                                  b"mx.example.org", timestamp=NOW))


def ours_seals(tool, text):
    selector, secret, _, _ = KEYS["rsa"]  # dkimpy knows no other algorithm in chains
    results = b"mx.example.org; spf=pass\r\n\tsmtp.mailfrom=x"
    return tool.seal(secret, DOMAIN, selector, text, results, RECORDS, NOW)


def theirs_judges(text):
    """No status stands for a chain that ends in cv=fail; a header that they refuse, for failure."""
    try:
        status = dkim.arc_verify(text, dnsfunc=lookup)[0]
    except dkim.DKIMException:
        status = None
    return (status or b"fail").decode()


def arc_cases(tap, tool):
    rng = random.Random(8617)
    for i in range(CHAINS):
        text, status = message(rng), "none"
        for hop in range(rng.randint(1, 6)):
            if rng.random() < 0.2:  # a list that adds its footer
                text += b"-- \r\nthe list\r\n"
                status = tool.arc(text, RECORDS, NOW)["result"]
            sealed = theirs_seals(text, status) if rng.random() < 0.5 else \
                ours_seals(tool, text)
            text = sealed + text
            status = tool.arc(text, RECORDS, NOW)["result"]
            tap.case(f"chain {i}: hop {hop}", status, theirs_judges(text))
        for n in range(5):
            other = changed(rng, text)
            tap.case(f"chain {i}: changed {n}", tool.arc(other, RECORDS, NOW)["result"],
                     theirs_judges(other))


def main():
    logging.disable(logging.CRITICAL)
    dkim.time = types.SimpleNamespace(time=lambda: NOW)  # so that all signatures are the same ones
    tap, tool = Tap(read_exceptions(DATA / "dkim/peers.txt")), Tool(sys.argv[1])
    dkim_cases(tap, tool)
    arc_cases(tap, tool)
    tool.close()
    tap.end()


if __name__ == "__main__":
    main()
