#!/usr/bin/python3
"""Runs the published SPF suites (tests/data/spf) against spfcheck: spf_vectors.py SPFCHECK

Where we give another result than a suite asks for, tests/data/spf/exceptions.txt says what and why;
an exception that is none any more is an error too.
"""
import itertools
import pathlib
import re
import sys

import yaml

import spf_dns as dns

DATA = pathlib.Path(__file__).resolve().parent.parent / "data/spf"


# --- the suite of openspf.org: YAML documents of zone data and tests ---

def rfc_record(zone, name, kind, value, has_text):
    if kind == "SPF":  # stands for TXT, unless there is a TXT too
        kind = None if has_text else "TXT"
    if kind == "TXT" and value != "NONE":
        strings = value if isinstance(value, list) else [value]
        zone.add(name, dns.TXT, dns.text_rdata([s.encode("latin-1") for s in strings]))
    elif kind in ("A", "AAAA"):
        zone.add(name, getattr(dns, kind), dns.address_rdata(value))
    elif kind == "MX":
        zone.add(name, dns.MX, dns.mx_rdata(value[0], value[1]))
    elif kind == "PTR":
        zone.add(name, dns.PTR, dns.name_rdata(value))
    elif kind == "CNAME":
        zone.add(name, dns.CNAME, value)


def rfc_zone(data):
    zone = dns.Zone()
    for name, records in data.items():
        zone.records.setdefault(str(name).lower().rstrip("."), {})
        texts = [r for r in records if isinstance(r, dict) and "TXT" in r]
        for record in records:
            if record == "TIMEOUT":
                # a timeout is for the types that have no record here
                if texts and texts[0]["TXT"] != "NONE":
                    continue
                zone.fail(str(name))
            else:
                (kind, value), = record.items()
                rfc_record(zone, str(name), kind, value, bool(texts))
    return zone


def rfc_cases():
    with open(DATA / "rfc7208/rfc7208-tests.yml", encoding="latin-1") as file:
        documents = list(yaml.safe_load_all(file))
    for document in documents:
        zone = rfc_zone(document["zonedata"])
        for name, test in document["tests"].items():
            results = test["result"]
            explanation = test.get("explanation")
            yield (f"rfc7208/{name}", zone, str(test["host"]), str(test["helo"]),
                   str(test["mailfrom"]), results if isinstance(results, list) else [results],
                   "" if explanation == "DEFAULT" else explanation)


# --- the suite of mail-auth: looks like YAML, but keys come again and again ---

def auth_record(zone, number, kind, name, value):
    if kind == "mx":  # "mx: name address, ...": a host for each address
        for i, address in enumerate(re.split(r"\s*,\s*", value)):
            host = f"mx{number}-{i}.hosts.test"
            zone.add(name, dns.MX, dns.mx_rdata(i, host))
            kind = dns.AAAA if ":" in address else dns.A
            zone.add(host, kind, dns.address_rdata(address))
    elif kind in ("a", "aaaa"):
        for address in re.split(r"\s*,\s*", value):
            zone.add(name, dns.A if kind == "a" else dns.AAAA, dns.address_rdata(address))
    elif kind == "ptr":
        address = dns.ipaddress.ip_address(name)
        for host in re.split(r"\s*,\s*", value):
            zone.add(address.reverse_pointer, dns.PTR, dns.name_rdata(host))
    else:  # spf, exp; again: instead of the one before
        zone.records.setdefault(name.lower(), {})[dns.TXT] = [dns.text_rdata([value.encode()])]


def auth_cases_of(path):
    zone, state, number, document = dns.Zone(), {}, 0, ""
    for line in path.read_text().splitlines():
        line = line.strip()
        if line == "---":
            zone, state = dns.Zone(), {}
        if line.startswith("#") or ":" not in line:
            continue
        key, value = (part.strip() for part in line.lstrip("- ").split(":", 1))
        if key == "name":
            document = value
        elif key in ("spf", "exp", "a", "aaaa", "mx", "ptr"):
            auth_record(zone, number, key, *value.split(None, 1))
        elif key in ("domain", "sender", "ip"):
            state[key] = value
        elif key == "expect":
            result, _, explanation = value.partition(" ")
            yield (f"mail-auth/{path.stem}/{number} {document}", zone, state["ip"],
                   state["domain"], state["sender"], [result], explanation or None)
        number += 1


def auth_cases():
    for path in sorted((DATA / "mail-auth").glob("*.yml")):
        yield from auth_cases_of(path)


def auth_check(checker, zone, address, helo, sender):
    """That suite's driver: the HELO name first; the sender when that has passed or says nothing."""
    for name in ("_dns_error.org", "_dns_error.test.org"):
        zone.fail(name)
    outcome = checker.check(zone, address, helo, "")
    if outcome[0] in ("pass", "none") and sender:
        outcome = checker.check(zone, address, helo, sender)
    return outcome


def exceptions():
    lines = (DATA / "exceptions.txt").read_text().splitlines()
    return {line.split("#")[0].strip() for line in lines} - {""}


def main():
    checker = dns.Checker(sys.argv[1])
    known, wrong, count = exceptions(), {}, 0
    # one by one: a zone of mail-auth changes between its cases
    for case in itertools.chain(rfc_cases(), auth_cases()):
        name, zone, address, helo, sender, results, explanation = case
        check = auth_check if name.startswith("mail-auth/") else dns.Checker.check
        result, words, reason = check(checker, zone, address, helo, sender)
        count += 1
        if result not in results:
            wrong[name] = f"{result} ({reason}), wanted {results}"
        elif explanation is not None and words != explanation:
            wrong[name] = f"explains {words!r}, wanted {explanation!r}"
    for name in sorted(wrong.keys() - known):
        print(f"{name}: {wrong[name]}")
    for name in sorted(known - wrong.keys()):
        print(f"{name}: no exception any more")
    print(f"{count} cases, {len(wrong)} not as the suites have it, {len(known)} known")
    return 1 if wrong.keys() != known or count < 250 else 0


if __name__ == "__main__":
    sys.exit(main())
