#!/usr/bin/python3
"""Compares SPF results with Debian's python3-spf: spf_cross.py SPFCHECK [CASES [SEED]]

Random records over a small random zone, both asked the same question. Where python3-spf goes another
way than RFC 7208, TheirQuery mends it, or reason_for() knows it; any other difference is an error.
"""
import random
import sys

import spf

import spf_dns as dns

CASES, SEED = 600, 7208
CLIENTS = ["192.0.2.1", "192.0.2.2", "192.0.2.77", "2001:db8::1", "2001:db8::2", "::ffff:192.0.2.1"]
ADDRESSES = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.130"]
ADDRESSES6 = ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"]
HOSTS = [f"h{i}.example.org" for i in range(8)]
DOMAINS = [f"d{i}.example.net" for i in range(6)]
MACROS = ["%{d}", "%{o}", "%{d2}", "%{i}.x.example.org", "%{ir}.%{v}.example.org",
          "%{l}.example.org", "%{lr-}.example.org", "%{l1r-+}.example.org", "%{h}", "%{p}.example.org",
          "%{S}.example.org", "%{d1r}.example.org", "h%{i4r}.example.org", "%%.%_%-.example.org"]
LOCALS = ["joe", "strong-bad", "a.b+c", "h1", "x=y"]


class Both:
    """The zone, for both: what python3-spf asks is answered from it as well."""

    def __init__(self, rng):
        self.zone = dns.Zone()
        self.plain = {}
        for host in HOSTS:
            self.add_host(rng, host)
        for domain in DOMAINS:
            self.add_host(rng, domain)
            if rng.random() < 0.9:
                self.add(domain, "TXT", record(rng))
            if rng.random() < 0.1:
                self.add(domain, "TXT", rng.choice(["text", "v=spf1 ?all", "v=spf10"]))
        for client in CLIENTS:
            pointer = dns.ipaddress.ip_address(client.replace("::ffff:", "")).reverse_pointer
            for host in rng.sample(HOSTS + DOMAINS, rng.choice([0, 1, 2])):
                self.add(pointer, "PTR", host)
        for name in ("joe.example.org", "bad.strong.example.org", "1.2.0.192.in-addr.example.org",
                     "192.0.2.2.x.example.org", "unknown.example.org", "strong.example.org"):
            if rng.random() < 0.6:
                self.add(name, "A", "127.0.0.2")

    def add_host(self, rng, host):
        if rng.random() < 0.06:
            self.zone.fail(host)
            return
        for address in rng.sample(ADDRESSES, rng.choice([0, 1, 1, 2])):
            self.add(host, "A", address)
        for address in rng.sample(ADDRESSES6, rng.choice([0, 1, 1])):
            self.add(host, "AAAA", address)
        for i, exchange in enumerate(rng.sample(HOSTS, rng.choice([0, 0, 1, 2]))):
            self.add(host, "MX", (10 * i, exchange))

    def add(self, name, kind, value):
        self.plain.setdefault((name, kind), []).append(value)
        rdata = {"A": dns.address_rdata, "AAAA": dns.address_rdata, "PTR": dns.name_rdata,
                 "MX": lambda mx: dns.mx_rdata(*mx),
                 "TXT": lambda text: dns.text_rdata([text.encode()])}[kind](value)
        self.zone.add(name, getattr(dns, kind), rdata)

    def lookup(self, name, qtype, strict=True, timeout=0):
        """In the place of spf.DNSLookup."""
        name = name.lower().rstrip(".")
        if self.zone.fails(name, getattr(dns, qtype, 99)):
            raise spf.TempError("DNS: " + name)
        for value in self.plain.get((name, qtype), []):
            yield (name, qtype), [value.encode()] if qtype == "TXT" else value


class TheirQuery(spf.query):
    """python3-spf, where it is wider than RFC 7208:

    - It looks up all hosts of an MX before it compares the first: an error of a later one spoils a
      match. Section 5.4 takes them one after another.
    - It counts hosts without an address as void lookups, so that three servers without IPv6 are an
      error for every client with it. Section 4.6.4 counts terms.
    - An error of the DNS while it validates a name ends the check. Section 5.5 skips that name.
    - It does not count the query of %{p} as a lookup, but as a void one if there is no name. Section
      4.6.4 counts the query among the lookups, and terms as void.
    """

    def dns_mx(self, domainname):
        exchanges = self.dns(domainname, "MX")
        for _, host in sorted(exchanges):
            yield from self.dns(host, self.A, ignore_void=True)

    def cidrmatch(self, ipaddrs, n):
        return any(super(TheirQuery, self).cidrmatch([address], n) for address in ipaddrs)

    def dns_ptr(self, i):
        try:
            return super().dns_ptr(i)
        except spf.TempError:
            return []

    def validated_ptrs(self):
        valid = []
        for name in self.dns_ptr(self.i)[:spf.MAX_PTR]:
            try:
                if self.cidrmatch(self.dns(name, self.A, ignore_void=True), self.cidrmax):
                    valid.append(name)
            except spf.TempError:
                pass
        return valid

    def getp(self):
        voids = self.void_lookups
        if not self.p:
            self.lookups += 1
            self.void_lookups = -100
        try:
            return super().getp()
        finally:
            self.void_lookups = voids


def target(rng):
    roll = rng.random()
    if roll < 0.35:
        return rng.choice(HOSTS)
    if roll < 0.6:
        return rng.choice(DOMAINS)
    if roll < 0.7:
        return "nowhere.example.org"
    return rng.choice(MACROS)


def prefixes(rng):
    return rng.choice(["", "", "", "/24", "/25", "/31", "//64", "/30//63", "/0", "/16",
                       "/28", "//128", "/32", rng.choice(["/33", "/8//129", "/24/64"])])


def term(rng):
    qualifier = rng.choice(["", "", "", "+", "-", "~", "?"])
    kind = rng.choice(["a", "a", "mx", "mx", "ptr", "ip4", "ip4", "ip6", "include", "include", "exists",
                       "exists", "all", "other", "broken"])
    if kind in ("a", "mx"):
        domain = rng.choice(["", ":" + target(rng)])
        return qualifier + kind + domain + prefixes(rng)
    if kind == "ptr":
        return qualifier + rng.choice(["ptr", "ptr:example.org", "ptr:" + target(rng)])
    if kind == "ip4":
        return qualifier + "ip4:" + rng.choice(ADDRESSES) + rng.choice(["", "", "/24", "/31", "/0"])
    if kind == "ip6":
        return qualifier + "ip6:" + rng.choice(ADDRESSES6) + rng.choice(["", "", "/64", "/127", "/0"])
    if kind in ("include", "exists"):
        return qualifier + kind + ":" + target(rng)
    if kind == "all":
        return qualifier + kind if rng.random() < 0.3 else "a:" + rng.choice(HOSTS)
    if kind == "other":
        return rng.choice(["x=y", "rr=%{d}", "ra=a:b/c"])
    return rng.choice(["ip4:192.0.2.256", "a:", "include", "al", "a:x.example.org/024", "%{d}", "x=%"]
                      ) if rng.random() < 0.15 else "ip4:198.51.100.1"


def record(rng):
    terms = [term(rng) for _ in range(rng.choice([1, 2, 3, 4, 5, 6]))]
    if rng.random() < 0.2:
        return " ".join(["v=spf1", *terms, "redirect=" + target(rng)])
    elif rng.random() < 0.8:
        terms.append(rng.choice(["-all", "~all", "?all", "-all"]))
    return " ".join(["v=spf1"] + [t.upper() if rng.random() < 0.03 and "%" not in t else t
                                 for t in terms])


def theirs(both, client, helo, sender):
    spf.DNSLookup = both.lookup
    query = TheirQuery(client, sender, helo, receiver="receiver.example", querytime=0)
    try:
        result, _, _ = query.check()
        return result, query.prob if result in ("permerror", "temperror") else ""
    except AssertionError as error:
        return "exception", str(error)


def reason_for(both, case, ours, their):
    """Why the two may differ; None: no reason is known."""
    if their[1] == "include has trivial recursion":
        return "found when the record is read, before it matters"
    if their[1].endswith("= MUST appear at most once"):
        return "section 6 wants only redirect and exp once"
    return None


def main():
    checker = dns.Checker(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else CASES
    rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else SEED)
    results, reasons, wrong = {}, {}, 0
    for _ in range(count):
        both = Both(rng)
        sender = f"{rng.choice(LOCALS)}@{rng.choice(DOMAINS)}"
        case = rng.choice(CLIENTS), rng.choice(HOSTS + DOMAINS), sender
        ours = checker.check(both.zone, *case)
        their = theirs(both, *case)
        results[ours[0]] = results.get(ours[0], 0) + 1
        if ours[0] == their[0]:
            continue
        reason = reason_for(both, case, ours, their)
        reasons[reason] = reasons.get(reason, 0) + 1
        if reason is None:
            wrong += 1
            print(f"{case}: ours {ours[0]} ({ours[2]}), theirs {their}")
            for key, value in both.plain.items():
                if key[1] == "TXT":
                    print("   ", key[0], value)
    print(f"{count} cases: {results}; differences: {reasons}")
    return 1 if wrong or len(results) < 7 else 0


if __name__ == "__main__":
    sys.exit(main())
