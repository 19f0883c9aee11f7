#!/usr/bin/python3
"""ARC messages of ValiMail's suite and of mail-auth (tests/data/arc), each a case: TAP.

Sealing is not compared byte by byte, the order of tags and h= being the sealer's own choice. What
is published verifies as the next link of its message; ours has the same place, the same cv=, the
same body hash, and verifies too.

usage: arc_vectors.py PROOFTOOL
"""
import re
import sys

import yaml

from prooftool import DATA, Tap, Tool, crlf, read_exceptions

FOLDER = DATA / "arc"
NOW = 1750000000


def records_of(document):
    return {name: [" ".join(text.split("\n")).strip()]
            for name, text in document["txt-records"].items()}


def message_of(test):
    return crlf(test["message"].encode())


def validation(tap, tool, document):
    for name, test in document["tests"].items():
        got = tool.arc(message_of(test), records_of(document), NOW)
        # An empty cv is for chains that end in cv=fail: neither validated nor sealed.
        tap.case(f"validation/{name}", got["result"], (test["cv"].lower() or "fail",))


def field(name, value):
    return crlf(f"{name}: {value.strip()}".encode().replace(b"\n", b"\n ")) + b"\r\n"


def tag(text, name):
    match = re.search(rf"(?:^|[;\s]){name}\s*=\s*([^;]*)", text)
    return re.sub(r"\s", "", match.group(1)) if match else None


def signing(tap, tool, document):
    records, key = records_of(document), document["privatekey"].encode()
    for name, test in document["tests"].items():
        message = message_of(test)
        ours = tool.seal(key, document["domain"], document["sel"], message,
                         b"lists.example.org; arc=none", records, test["t"])
        if not test["AS"]:
            tap.case(f"signing/{name} adds nothing", ours, b"")
            continue
        # The suite's sealer folds b= only when all is signed.
        signature = re.sub(r"\bb=[^;]*", lambda b: re.sub(r"\s", "", b.group()), test["AMS"])
        published = field("ARC-Seal", test["AS"]) + field("ARC-Message-Signature", signature) + \
            field("ARC-Authentication-Results", test["AAR"])
        cv = tag(test["AS"], "cv")
        want = "fail" if cv == "fail" else "pass"
        tap.case(f"signing/{name} published", tool.arc(published + message, records, NOW)["result"],
                 want)
        got = tool.arc(ours + message, records, NOW)
        tap.case(f"signing/{name} ours", (got["result"], got["sets"]),
                 ((want, int(tag(test["AS"], "i"))),))
        text = ours.decode()
        tap.case(f"signing/{name} cv", tag(text, "cv"), cv)
        tap.case(f"signing/{name} body hash", tag(text, "bh"), tag(test["AMS"], "bh"))


def mail_auth(tap, tool):
    for path in sorted((FOLDER / "mail-auth").glob("*.txt")):
        dns, message = crlf(path.read_bytes()).split(b"\r\n\r\n", 1)
        records = dict(line.split(" ", 1) for line in dns.decode().splitlines())
        got = tool.arc(message, {name: [text] for name, text in records.items()}, NOW)
        tap.case(f"mail-auth/{path.stem}", got["result"], "pass")


def main():
    tap, tool = Tap(read_exceptions(FOLDER / "exceptions.txt")), Tool(sys.argv[1])
    suite = FOLDER / "valimail"
    for document in yaml.safe_load_all((suite / "arc-draft-validation-tests.yml").read_text()):
        validation(tap, tool, document)
    for document in yaml.safe_load_all((suite / "arc-draft-sign-tests.yml").read_text()):
        signing(tap, tool, document)
    mail_auth(tap, tool)
    tool.close()
    tap.end()


if __name__ == "__main__":
    main()
