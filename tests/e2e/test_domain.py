"""What a domain publishes: its signing keys, and all the other records."""
import base64
import hashlib
import re
import sqlite3
import stat
import subprocess

import pytest

from server import DOMAIN

HOST = "mx.example.test"


def records_of(server, *args):
    return [(row["name"], row["type"], row["value"])
            for row in server.json("domain", "dns", DOMAIN, *args)["records"]]


def value_of(server, name, kind="TXT"):
    values = [value for record, type_, value in records_of(server) if (record, type_) == (name, kind)]
    assert len(values) == 1, values
    return values[0]


def test_keys_come_with_the_domain(server):
    server.run("domain", "add", "keys.test")
    keys = server.json("dkim", "list", "keys.test")
    assert sorted(key["algorithm"] for key in keys) == ["ed25519-sha256", "rsa-sha256"]
    assert {key["state"] for key in keys} == {"waiting"}
    assert all(re.fullmatch(r"[er]\d{8}", key["selector"]) for key in keys)
    assert "PRIVATE" not in server.run("dkim", "list") + server.run("dkim", "dns", "keys.test")
    server.run("domain", "remove", "keys.test")
    assert not [key for key in server.json("dkim", "list") if key["domain"] == "keys.test"]


def test_keys_are_private(server):
    assert stat.S_IMODE((server.data / "postane.db").stat().st_mode) == 0o600


def test_records_belong_to_the_keys(server, tmp_path):
    """OpenSSL finds the same public keys in the private ones."""
    pems = sqlite3.connect(server.data / "postane.db").execute(
        "SELECT selector, pem FROM signing_key WHERE domain = ?", (DOMAIN,)).fetchall()
    assert len(pems) >= 2
    for selector, pem in pems:
        public = subprocess.run(["openssl", "pkey", "-pubout", "-outform", "DER"],
                                input=pem.encode() if isinstance(pem, str) else pem,
                                capture_output=True, check=True).stdout
        value = value_of(server, f"{selector}._domainkey.{DOMAIN}")
        key = re.fullmatch(r"v=DKIM1; k=(rsa|ed25519); p=(\S+)", value)
        published = base64.b64decode(key[2])
        assert published == (public if key[1] == "rsa" else public[-32:])
        assert len(published) > 290 if key[1] == "rsa" else len(published) == 32


def test_rotation_waits_for_the_dns(server):
    server.run("domain", "add", "rotate.test")
    refused = server.command("dkim", "rotate", "rotate.test")
    assert refused.returncode == 1 and "waits to be published" in refused.stderr
    database = sqlite3.connect(server.data / "postane.db")
    with database:
        database.execute("UPDATE signing_key SET state = 2 WHERE domain = 'rotate.test'")
    server.run("dkim", "rotate", "rotate.test")
    keys = server.json("dkim", "list", "rotate.test")
    assert [key["state"] for key in keys] == ["active", "active", "waiting", "waiting"]
    assert len({key["selector"] for key in keys}) == 4
    assert len(server.json("dkim", "dns", "rotate.test")) == 4
    server.run("dkim", "remove", "rotate.test", keys[0]["selector"])
    assert len(server.json("dkim", "list", "rotate.test")) == 3
    assert server.command("dkim", "remove", "rotate.test", "none").returncode == 1


def test_every_kind_of_record(server):
    records = records_of(server)
    assert (DOMAIN, "MX", f"10 {HOST}.") in records
    assert value_of(server, DOMAIN) == "v=spf1 mx -all"
    assert value_of(server, f"_dmarc.{DOMAIN}").startswith("v=DMARC1; p=none; rua=mailto:")
    assert value_of(server, f"_smtp._tls.{DOMAIN}").startswith("v=TLSRPTv1; rua=mailto:")
    port = server.ports["imaps"]
    assert value_of(server, f"_imaps._tcp.{DOMAIN}", "SRV") == f"0 1 {port} {HOST}."


def test_the_policy_file_has_an_id_of_its_own(server):
    ids = set()
    for mode in ("testing", "enforce", "none"):
        all_ = server.json("domain", "dns", DOMAIN, "--mta-sts", mode)
        assert f"mode: {mode}\r\nmx: {HOST}\r\n" in all_["mta_sts_file"]["content"]
        ids |= {row["value"] for row in all_["records"] if row["name"] == f"_mta-sts.{DOMAIN}"}
    assert len(ids) == 3
    assert all(re.fullmatch(r"v=STSv1; id=[0-9a-f]{16}", id_) for id_ in ids)
    assert server.command("domain", "dns", DOMAIN, "--mta-sts", "maybe").returncode == 2


def test_tlsa_is_of_the_certificate(server):
    key = subprocess.run(["openssl", "x509", "-in", server.folder / "cert.pem", "-noout",
                          "-pubkey"], capture_output=True, check=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key,
                         capture_output=True, check=True).stdout
    assert value_of(server, f"_25._tcp.{HOST}", "TLSA") == "3 1 1 " + hashlib.sha256(der).hexdigest()


def test_zone_file_lines(server):
    """Every line is a comment, a record, or a string of one that is too long for one string."""
    text = server.run("domain", "dns", DOMAIN)
    for line in text.splitlines():
        assert re.fullmatch(r'(;.*|[a-z0-9._-]+\. IN (MX|A|AAAA|TXT|TLSA|SRV) .+|    ".*"( \))?|)',
                            line), line
        assert all(len(part) <= 255 for part in re.findall(r'"([^"]*)"', line))
    values = {value for _, kind, value in records_of(server) if kind == "TXT"}
    joined = re.sub(r'"\s*\n\s*"', "", text)
    assert all(f'"{value}"' in joined for value in values)


@pytest.mark.parametrize("args", [("domain", "dns", "other.test"), ("dkim", "dns", "other.test"),
                                  ("dkim", "rotate", "other.test"), ("dkim", "list", "other.test")])
def test_only_our_domains(server, args):
    done = server.command(*args)
    assert done.returncode == 1 and "no domain other.test" in done.stderr
