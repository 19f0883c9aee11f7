"""Others' servers on hosts of the lab, each in a folder of its own: Exim, OpenSMTPD, aiosmtpd, and what
sits beside Postfix as milters, OpenDKIM and rspamd.

Every server takes mail for user@DOMAIN, sends what comes over its loopback address to whoever the DNS
names, and shows what it has as a list of messages.
"""
import email
import email.policy
import os
import pathlib
import re
import shutil
import smtplib
import socket
import subprocess

from aiosmtpd.controller import Controller

from domains import letter
from lab import DNS_ADDRESS, run, wait_until
from packages import peer_root, program
from postfix import Postfix


def parse(text):
    return email.message_from_bytes(text, policy=email.policy.default)


def split_mbox(path):
    texts = (b"\n" + path.read_bytes() if path.exists() else b"").split(b"\nFrom ")[1:]
    return [parse(text.partition(b"\n")[2]) for text in texts]


class Peer:
    def __init__(self, lab, ca, name, address):
        self.lab, self.domain = lab, f"{name}.test"
        self.mx, self.user = f"mx.{self.domain}", f"user@{self.domain}"
        self.host = lab.host(name, address)
        self.host.use_resolver(DNS_ADDRESS)
        self.folder = lab.folder / name
        ca.issue(self.folder, self.mx)
        self.mail = self.folder / "mail"
        self.mail.mkdir()
        shutil.chown(self.mail, "mail", "mail")

    def start_inside(self, *command, environment=None, log="log"):
        """With the lab's /etc/resolv.conf; ends with the lab."""
        with open(self.folder / log, "ab") as out:
            process = subprocess.Popen(
                ["ip", "netns", "exec", self.host.namespace, *[str(part) for part in command]],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env=os.environ | (environment or {}))
        self.lab.stack.callback(self.lab.end, process)
        return process

    def start_with_users(self, names, script, *arguments):
        """A shell script that sees an /etc/passwd with these users, too, and mounts for itself."""
        for number, file in enumerate(("passwd", "group")):
            rows = [(f"{name}:x:{61000 + i}:{61000 + i}::/nonexistent:/bin/false",
                     f"{name}:x:{61000 + i}:")[number] for i, name in enumerate(names)]
            text = pathlib.Path("/etc", file).read_text()
            (self.folder / file).write_text(text + "".join(row + "\n" for row in rows))
        mounts = "".join(f'mount --bind "$1/{file}" /etc/{file}\n' for file in ("passwd", "group"))
        self.start_inside("unshare", "-m", "sh", "-c", f"set -e\n{mounts}{script}", "sh",
                          self.folder, *arguments)

    def wait_for_port(self, port=25):
        def answers():
            with self.host.inside(), socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0
        try:
            wait_until(answers, f"port {port} of {self.domain}", 10)
        except AssertionError as error:
            raise RuntimeError(f"{error}\n{self.log()[-3000:]}") from error

    def send(self, to, subject):
        with self.host.inside(), smtplib.SMTP("127.0.0.1", 25, timeout=30) as smtp:
            smtp.sendmail(self.user, [to], letter(self.user, to, subject))

    def messages(self):
        return split_mbox(self.mail / "user")

    def wait_for(self, subject, seconds=20):
        return wait_until(lambda: next((m for m in self.messages() if m["Subject"] == subject), None),
                          f"{self.user} has {subject!r}", seconds)

    def log(self):
        return "".join(path.read_text(errors="replace")
                       for path in sorted(self.folder.glob("*log")) if path.is_file())


class PostfixPeer(Peer):
    def start(self, milters=()):
        self.postfix = Postfix(self.folder, self.host, self.mx, self.domain, {
            "smtpd_tls_security_level": "may",
            "smtpd_tls_chain_files": f"{self.folder}/key.pem, {self.folder}/cert.pem",
            "smtp_dns_support_level": "dnssec",
            "smtp_tls_policy_maps": "inline:{one.test=dane-only}",
            "smtpd_milters": " ".join(f"inet:127.0.0.1:{port}" for port in milters),
            "milter_default_action": "tempfail"})
        self.lab.stack.enter_context(self.postfix)


EXIM = """primary_hostname = {mx}
exim_path = {program}
exim_user = mail
exim_group = mail
never_users =
spool_directory = {folder}/spool
log_file_path = {folder}/%slog
pid_file_path = {folder}/exim.pid
domainlist local_domains = {domain}
hostlist relay_from_hosts = 127.0.0.1
daemon_smtp_ports = 25
disable_ipv6 = true
tls_advertise_hosts = *
tls_certificate = {folder}/cert.pem
tls_privatekey = {folder}/key.pem
acl_smtp_rcpt = acl_rcpt
begin acl
acl_rcpt:
  accept hosts = +relay_from_hosts
  accept domains = +local_domains
         verify = recipient
  deny message = relay not permitted
begin routers
here:
  driver = accept
  domains = +local_domains
  local_parts = user
  transport = box
there:
  driver = dnslookup
  domains = ! +local_domains
  transport = remote_smtp
  no_more
begin transports
box:
  driver = appendfile
  file = {folder}/mail/user
  user = mail
  group = mail
remote_smtp:
  driver = smtp
begin retry
* * F,1h,2s
"""


class Exim(Peer):
    def start(self):
        exim = program("exim4-daemon-light/usr/sbin/exim4")
        (self.folder / "exim.conf").write_text(EXIM.format(program=exim, **vars(self)))
        shutil.chown(self.folder, "mail", "mail")
        for file in ("key.pem", "cert.pem"):
            shutil.chown(self.folder / file, "mail", "mail")
        self.start_with_users(["Debian-exim"], 'exec "$2" -C "$1/exim.conf" -bdf -q2s',
                              exim)
        self.wait_for_port()


OPENSMTPD = """pki here cert "{folder}/cert.pem"
pki here key "{folder}/key.pem"
listen on 0.0.0.0 tls pki here hostname {mx}
action keep mda "cat >> {folder}/mail/user; echo >> {folder}/mail/user"
action go relay helo {mx}
match from any for rcpt-to "user@{domain}" action keep
match from local for any action go
"""
# Its paths are compiled in: it gets a view of the file system where they are.
OPENSMTPD_START = """mount -t tmpfs tmpfs /var/spool
mount -t tmpfs tmpfs /var/lib
mkdir -p /var/lib/opensmtpd/empty
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /usr/libexec
mkdir /usr/libexec/opensmtpd
cp "$2"/usr/libexec/opensmtpd/* /usr/libexec/opensmtpd/
exec "$2/usr/sbin/smtpd" -d -v -f "$1/smtpd.conf"
"""


class OpenSmtpd(Peer):
    """Debian 12's offers STARTTLS and cannot do it ("missing private key"): mail comes without."""

    def start(self):
        (self.folder / "smtpd.conf").write_text(OPENSMTPD.format(**vars(self)))
        (self.folder / "key.pem").chmod(0o600)
        self.mail.chmod(0o777)
        self.start_with_users(["opensmtpd", "opensmtpq", "user"], OPENSMTPD_START, peer_root("opensmtpd"))
        self.wait_for_port()

    def messages(self):
        """OpenSMTPD gives the message alone to a command; each begins with Received."""
        path = self.mail / "user"
        text = path.read_bytes() if path.exists() else b""
        return [parse(part) for part in re.split(rb"(?m)^(?=Return-Path: )", text) if part.strip()]


class Aiosmtpd(Peer):
    """Takes mail; sends by asking the lab's DNS and connecting itself."""

    def start(self):
        self.taken = []
        with self.host.inside():
            self.controller = Controller(self, hostname="0.0.0.0", port=25,
                                         server_hostname=self.mx)
            self.controller.start()
        self.lab.stack.callback(self.controller.stop)

    async def handle_DATA(self, server, session, envelope):
        self.taken.append(envelope.content)
        return "250 2.0.0 taken"

    def messages(self):
        return [parse(text) for text in self.taken]

    def send(self, to, subject):
        host = self.lab.ask(to.partition("@")[2], "MX").split()[1]
        address = self.lab.ask(host, "A")
        with self.host.inside(), smtplib.SMTP(address, 25, self.mx, timeout=30) as smtp:
            smtp.sendmail(self.user, [to], letter(self.user, to, subject))


class OpenDkim:
    """Beside a Postfix: verifies what comes, signs what its domain sends. `record` is to be published
    at `name`."""

    PORT = 8891

    def __init__(self, folder, peer, domain):
        self.folder, self.peer = folder, peer
        folder.mkdir()
        run("opendkim-genkey", "-D", folder, "-d", domain, "-s", "lab", "-b", "2048")
        text = (folder / "lab.txt").read_text()
        self.name = f"lab._domainkey.{domain}"
        self.record = "TXT " + " ".join(re.findall(r'"[^"]*"', text))
        # It asks by libunbound, which knows by itself that there is no "test." (RFC 6761).
        (folder / "unbound.conf").write_text(f"""server:
    local-zone: "test." transparent
    module-config: "iterator"
forward-zone:
    name: "."
    forward-addr: {DNS_ADDRESS}
""")
        (folder / "conf").write_text(f"""Mode sv
ResolverConfiguration {folder}/unbound.conf
Socket inet:{self.PORT}@127.0.0.1
Domain {domain}
KeyFile {folder}/lab.private
Selector lab
InternalHosts 127.0.0.1
AuthservID opendkim.{domain}
AlwaysAddARHeader yes
Background no
Syslog no
RequireSafeKeys no
""")

    def start(self):
        self.peer.start_inside("opendkim", "-f", "-x", self.folder / "conf")
        self.peer.wait_for_port(self.PORT)


RSPAMD = {
    "options.inc": f"""dns {{ nameserver = ["{DNS_ADDRESS}"]; timeout = 3s; }}
local_addrs = [127.0.0.0/8];
filters = "dkim";
disable_hyperscan = true;
url_tld = "$LOCAL_CONFDIR/tlds";
""",
    "logging.inc": 'type = "console";\n',
    "worker-normal.inc": "enabled = false;\n",
    "worker-controller.inc": "enabled = false;\n",
    "worker-proxy.inc": """bind_socket = "127.0.0.1:11332";
milter = yes;
upstream "local" { default = yes; self_scan = yes; }
""",
    "milter_headers.conf": """use = ["authentication-results", "x-spamd-result"];
skip_local = false;
extended_headers_rcpt = [];
routines { authentication-results { header = "Authentication-Results"; add_smtp_user = false; } }
""",
    "dmarc.conf": "reporting { enabled = false; }\n",
    "actions.conf": "reject = null; greylist = null; add_header = null; rewrite_subject = null;\n",
}
RSPAMD_OFF = ["rbl", "fuzzy_check", "surbl", "asn", "hfilter", "mx_check", "phishing", "greylist",
              "rspamd_update", "dkim_signing", "neural", "bayes_expiry", "ratelimit", "emails"]


class Rspamd:
    PORT = 11332

    def __init__(self, folder, peer):
        self.folder, self.peer = folder, peer
        local = folder / "etc/local.d"
        local.mkdir(parents=True)
        (folder / "etc/tlds").write_text("test\n")  # the whole list takes half a minute to compile
        for name, text in RSPAMD.items():
            (local / name).write_text(text)
        for name in RSPAMD_OFF:
            (local / f"{name}.conf").write_text("enabled = false;\n")
        run("chown", "-R", "_rspamd", folder)

    def start(self):
        self.peer.start_inside(
            "rspamd", "-f", "-u", "_rspamd", "-g", "_rspamd", "-c", "/etc/rspamd/rspamd.conf",
            f"--var=LOCAL_CONFDIR={self.folder}/etc", f"--var=DBDIR={self.folder}",
            f"--var=RUNDIR={self.folder}", f"--var=LOGDIR={self.folder}")
        self.peer.wait_for_port(self.PORT)
