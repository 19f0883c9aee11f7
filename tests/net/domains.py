"""What the lab's hosts run: certificates of an authority of the lab, Postane's domains, letters."""
import email
import email.policy
import email.utils
import pathlib

from lab import DNS_ADDRESS, run, wait_until
from server import Server

PATIENCE = 20


class Ca:
    """A certificate authority of the lab, for servers and the policies' web hosts."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.file = folder / "ca.pem"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "30", "-keyout", folder / "ca.key", "-out", self.file,
            "-subj", "/CN=Lab CA")

    def issue(self, into, *names):
        """key.pem and cert.pem for DNS names."""
        into.mkdir(parents=True, exist_ok=True)
        alternatives = ",".join(f"DNS:{name}" for name in names) + ",IP:127.0.0.1"
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", into / "key.pem", "-out", into / "csr.pem", "-subj", f"/CN={names[0]}")
        (into / "ext").write_text(f"subjectAltName={alternatives}\n")
        run("openssl", "x509", "-req", "-in", into / "csr.pem", "-CA", self.file, "-CAkey",
            self.folder / "ca.key", "-CAcreateserial", "-days", "30", "-out", into / "cert.pem",
            "-extfile", into / "ext")


class Postane:
    """A domain on a host: user@domain is its account."""

    def __init__(self, lab, ca, name, address, settings=None):
        self.lab, self.domain = lab, f"{name}.test"
        self.user = f"user@{self.domain}"
        self.mx = f"mx.{self.domain}"
        self.host = lab.host(name, address)
        folder = lab.folder / name
        ca.issue(folder, self.mx, "localhost")
        values = {
            "postane": {"hostname": self.mx},
            "dns": {"resolver": DNS_ADDRESS, "trust_anchor": lab.trust_anchor},
            "smtp": {"remote_port": 25, "retry_first": "2s", "retry_last": "2s"},
            "tls": {"authorities": ca.file},
            "listen": {"smtp": "0.0.0.0:25"},
        }
        for section, rows in (settings or {}).items():
            values.setdefault(section, {}).update(rows)
        self.server = Server(folder, values)
        self.server.tls.load_verify_locations(ca.file)
        self.server.run("domain", "add", self.domain)
        self.server.add_account(self.user)

    def records(self):
        """{name: ["TXT ...", ...]}: all that `postane domain dns` wants published."""
        with self.host.inside():
            rows = self.server.json("domain", "dns", self.domain)["records"]
        found = {}
        for row in rows:
            value = row["value"]
            if row["type"] == "TXT":
                value = " ".join(f'"{value[i:i + 250]}"' for i in range(0, len(value), 250))
            found.setdefault(row["name"], []).append(f"{row['type']} {value}")
        return found

    def start(self):
        with self.host.inside():
            self.server.start()
        return self

    def stop(self):
        with self.host.inside():
            self.server.stop()

    def send(self, to, subject):
        with self.host.inside(), self.server.submission(self.user) as smtp:
            smtp.sendmail(self.user, [to], letter(self.user, to, subject))

    def messages(self):
        with self.host.inside():
            texts = self.server.messages(self.user)
        return [email.message_from_bytes(text, policy=email.policy.default) for text in texts]

    def wait_for(self, subject):
        def find():
            return next((m for m in self.messages() if m["Subject"] == subject), None)
        return wait_until(find, f"{self.user} has {subject!r}", PATIENCE)

    def queue(self):
        return self.server.json("queue", "list")


def letter(sender, to, subject):
    lines = [f"From: <{sender}>", f"To: <{to}>", f"Subject: {subject}",
             f"Date: {email.utils.formatdate()}",
             f"Message-ID: {email.utils.make_msgid(domain='lab.test')}",
             "", "A line.", ".a line with a dot", ""]
    return "\r\n".join(lines).encode()
