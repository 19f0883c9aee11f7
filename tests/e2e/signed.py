"""A signed zone (DNSSEC) and certificates of any kind, for tests of TLS between servers.

    dns = SignedDns()                  # all of signed.test. is signed, nothing else is
    settings = {"dns": {"resolver": dns.server, "trust_anchor": dns.write_anchor(folder)}}
    authority = Authority(folder)
    authority.issue("good", "mx.far.test")       # folder/good/cert.pem and key.pem
"""
import datetime
import hashlib
import time

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from nameserver import TTL, Dns

HOUR = 3600


class SignedDns(Dns):
    """What does not exist in the zone is proven absent by a name of its own (RFC 4470)."""

    zone = dns.name.from_text("signed.test.")

    def __init__(self):
        self.private_key = ec.generate_private_key(ec.SECP256R1())
        self.dnskey = dns.dnssec.make_dnskey(self.private_key.public_key(), "ECDSAP256SHA256", flags=257)
        self.forged = set()  # names whose signatures have expired
        self.tampered = set()  # ... are by another key
        self.other_key = ec.generate_private_key(ec.SECP256R1())
        super().__init__()

    def write_anchor(self, folder):
        path = folder / "anchor"
        path.write_text(f"{self.zone} 3600 IN DNSKEY {self.dnskey.to_text()}\n")
        return path

    def signature(self, rrset):
        now = int(time.time())
        is_key = rrset.rdtype == dns.rdatatype.DNSKEY
        name = "" if is_key else rrset.name.to_text(omit_final_dot=True)
        is_forged = name in self.forged
        key = self.other_key if name in self.tampered else self.private_key
        expires = now - 48 * HOUR if is_forged else now + HOUR
        rdata = dns.dnssec.sign(rrset, key, self.zone, self.dnskey,
                                inception=now - 96 * HOUR, expiration=expires)
        return dns.rrset.from_rdata(rrset.name, TTL, rdata)

    def answer(self, packet):
        query = dns.message.from_wire(packet)
        question = query.question[0]
        name = question.name.canonicalize()
        if not name.is_subdomain(self.zone) or name.to_text(omit_final_dot=True) in self.broken:
            return super().answer(packet)
        reply = dns.message.make_response(query, recursion_available=True)
        reply.use_edns(0, dns.flags.DO)
        found = self.records.get((name, question.rdtype))
        if name == self.zone and question.rdtype == dns.rdatatype.DNSKEY:
            found = [self.dnskey]
        if found:
            rrset = dns.rrset.from_rdata(name, TTL, *found)
            reply.answer += [rrset, self.signature(rrset)]
        else:
            self.prove_absence(reply, name)
        return reply.to_wire(max_size=65535)

    def prove_absence(self, reply, name):
        soa = dns.rrset.from_text(self.zone, TTL, "IN", "SOA", ". . 1 1 1 1 1")
        kinds = {dns.rdatatype.to_text(kind) for known, kind in self.records if known == name}
        if name == self.zone:
            kinds.add("DNSKEY")
        after = dns.name.Name((b"\0",) + name.labels)
        nsec = dns.rrset.from_text(name, TTL, "IN", "NSEC",
                                   " ".join([after.to_text(), "RRSIG", "NSEC", *sorted(kinds)]))
        for rrset in (soa, nsec):
            reply.authority += [rrset, self.signature(rrset)]


class Authority:
    """A certificate authority, and servers' certificates of its own and of nobody's."""

    def __init__(self, folder):
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of the tests")])
        self.certificate = self.make(self.name, None, self.key.public_key(), self.name, self.key)
        self.path = folder / "authority.pem"
        self.path.write_bytes(self.pem(self.certificate))

    @staticmethod
    def pem(certificate):
        return certificate.public_bytes(serialization.Encoding.PEM)

    @staticmethod
    def make(subject, dns_name, key, issuer, issuer_key, hours=(-1, 24)):
        begin, end = (datetime.datetime.utcnow() + datetime.timedelta(hours=h) for h in hours)
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
                   .public_key(key).serial_number(x509.random_serial_number())
                   .not_valid_before(begin).not_valid_after(end)
                   .add_extension(x509.BasicConstraints(dns_name is None, None), True))
        if dns_name:
            names = x509.SubjectAlternativeName([x509.DNSName(dns_name)])
            builder = builder.add_extension(names, False)
        return builder.sign(issuer_key, hashes.SHA256())

    def issue(self, label, dns_name, hours=(-1, 24), self_signed=False):
        """A folder with cert.pem (the authority behind it) and key.pem."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, label)])
        issuer, issuer_key = (subject, key) if self_signed else (self.name, self.key)
        certificate = self.make(subject, dns_name, key.public_key(), issuer, issuer_key, hours)
        folder = self.folder / label
        folder.mkdir(exist_ok=True)
        chain = self.pem(certificate) + (b"" if self_signed else self.pem(self.certificate))
        (folder / "cert.pem").write_bytes(chain)
        (folder / "key.pem").write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()))
        return folder


def tlsa(path, usage):
    """A record "usage 1 1 hash" for the first certificate of a PEM file."""
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    key = certificate.public_key().public_bytes(serialization.Encoding.DER,
                                                serialization.PublicFormat.SubjectPublicKeyInfo)
    return f"{usage} 1 1 {hashlib.sha256(key).hexdigest()}"
