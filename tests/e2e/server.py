"""A real Postane in a temporary folder, on free loopback ports, for tests.

    with Server(folder) as server:
        server.add_account("alice@example.test")
        with server.imap("alice@example.test") as imap: ...
"""
import imaplib
import itertools
import json
import os
import pathlib
import poplib
import signal
import smtplib
import socket
import ssl
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("POSTANE_BUILD", ROOT / "build-sanitize"))
NAMES = ["smtp", "submission", "submissions", "lmtp", "imap", "imaps", "pop3", "pop3s"]
DOMAIN = "example.test"
PASSWORD = "correct horse"
# Freed memory is given back, so that tests can watch how much is used.
SANITIZER_OPTIONS = {"ASAN_OPTIONS": "quarantine_size_mb=1:thread_local_quarantine_size_kb=64",
                     "UBSAN_OPTIONS": "print_stacktrace=1"}
PATIENCE = 30  # seconds for anything that should take milliseconds


reserved = {}  # port: a socket that tells other test programs so


def free_ports(count):
    """Ports that nobody has now, and that no test program will be given while this one runs; below
    the range from which the kernel takes clients' ports."""
    found, candidates = [], itertools.count(10000 + os.getpid() * 7 % 10000)
    while len(found) < count:
        port = 10000 + next(candidates) % 20000
        if port not in reserved and reserve(port):
            found.append(port)
    return found


def reserve(port):
    mark = socket.socket(socket.AF_UNIX)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            mark.bind(f"\0postane-test-port-{port}")
            probe.bind(("", port))
        except OSError:
            mark.close()
            return False
    reserved[port] = mark
    return True


def make_certificate(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "30", "-keyout", folder / "key.pem", "-out", folder / "cert.pem",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        check=True, capture_output=True)


def wait_until(condition, what, seconds=PATIENCE):
    """The first true value of condition()."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"still not so after {seconds} s: {what}")


class Server:
    def __init__(self, folder, settings=None, certificate=True, data=None):
        """`settings`: {"smtp": {"errors": 3}}, added to those that make tests quick; `data`: where the store is."""
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = pathlib.Path(data or self.folder / "data")
        self.config = self.folder / "postane.conf"
        self.ports = dict(zip(NAMES, free_ports(len(NAMES))))
        self.process = None
        self.environment = {}  # of the daemons
        self.wrap = []  # a program that runs them, with its arguments
        if certificate and not (self.folder / "key.pem").exists():
            make_certificate(self.folder)
        self.settings = self.default_settings(certificate)
        for section, values in (settings or {}).items():
            self.settings.setdefault(section, {}).update(values)
        self.write_config()
        if not self.data.exists():
            self.run("init", "--data", str(self.data), "--user", "",
                     config=self.folder / "init.conf")
            self.run("domain", "add", DOMAIN)
        self.tls = ssl.create_default_context(
            cafile=self.folder / "cert.pem") if certificate else None

    def default_settings(self, certificate):
        settings = {
            "postane": {"data": self.data, "hostname": "mx.example.test", "user": "",
                        "log_level": "debug", "confine": "fatal"},
            "listen": {name: f"127.0.0.1:{port}" for name, port in self.ports.items()},
            "auth": {"hash_memory": "64K", "hash_passes": 1, "scram_iterations": 4096,
                     "failure_delay": "10ms", "failures": 100, "wait_max": 0, "ban_after": 0},
            "smtp": {"errors": 1000, "retry_first": "1s", "report_wait": "2s"},
            "dns": {"resolver": "127.0.0.1@1", "trust_anchor": "none", "timeout": "2s"},
            "limits": {"sessions_per_address": 10000, "workers": 3, "recipients_per_hour": 0,
                       "recipients_per_day": 0},
        }
        if certificate:
            settings["tls"] = {"certificate": self.folder / "cert.pem",
                               "key": self.folder / "key.pem"}
        return settings

    def write_config(self):
        lines = []
        for section, values in self.settings.items():
            lines.append(f"[{section}]")
            lines += [f"{key} = {value}" for key, value in values.items()]
        self.config.write_text("\n".join(lines) + "\n")

    def command(self, *args, stdin="", config=None):
        """Runs the operator's command; returns the finished process."""
        return subprocess.run(
            [BUILD / "admin/postane", "-c", config or self.config, *args],
            input=stdin, capture_output=True, text=True, timeout=120)

    def run(self, *args, stdin="", config=None):
        """The same, and it must succeed; returns what it printed."""
        done = self.command(*args, stdin=stdin, config=config)
        assert done.returncode == 0, f"postane {' '.join(args)}: {done.stderr}"
        return done.stdout

    def json(self, *args):
        return json.loads(self.run(*args, "--json"))

    def add_account(self, address, password=PASSWORD, *options):
        self.run("account", "add", address, "--stdin", *options, stdin=password + "\n")
        return address

    def start(self):
        self.log_path = self.folder / "log"
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*self.wrap, BUILD / "admin/postane", "-c", self.config, "serve"], stdout=subprocess.PIPE,
                stderr=log, start_new_session=True, env=os.environ | SANITIZER_OPTIONS | self.environment)
        ready = self.process.stdout.readline()
        assert ready.startswith(b"ready:"), f"did not start: {self.log()[-2000:]}"
        return self

    def stop(self):
        """Stops it as an operator would; sanitizers report through the exit code and the log."""
        if self.process is None:
            return
        self.process.terminate()
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        self.process = None
        log = self.log()
        assert code == 0, f"postane serve ended with {code}: {log[-2000:]}"
        for sign in ("ERROR: AddressSanitizer", "runtime error:", "LeakSanitizer"):
            assert sign not in log, log[max(0, log.index(sign) - 200):][:4000]

    def log(self):
        return self.log_path.read_text(errors="replace")

    def pids(self):
        """{"imapd": 123, ...} of the running daemons; there may be none at the moment."""
        rows = json.loads(self.command("status", "--json").stdout)
        return {row["daemon"]: row["pid"] for row in rows if "pid" in row}

    def kill(self, daemon):
        self.kill_pid(self.pids()[daemon])

    @staticmethod
    def kill_pid(pid):
        os.kill(pid, signal.SIGKILL)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.stop()
        elif self.process is not None:
            self.process.terminate()
            self.process.wait(PATIENCE)
            self.process.stdout.close()

    # --- clients ---

    def imap(self, user, password=PASSWORD):
        imap = imaplib.IMAP4_SSL("localhost", self.ports["imaps"], ssl_context=self.tls,
                                 timeout=PATIENCE)
        imap.login(user, password)
        return imap

    def pop3(self, user, password=PASSWORD):
        pop = poplib.POP3_SSL("localhost", self.ports["pop3s"], context=self.tls,
                              timeout=PATIENCE)
        pop.user(user)
        pop.pass_(password)
        return pop

    def smtp(self):
        return smtplib.SMTP("localhost", self.ports["smtp"], timeout=PATIENCE)

    def submission(self, user, password=PASSWORD):
        smtp = smtplib.SMTP_SSL("localhost", self.ports["submissions"], context=self.tls,
                                timeout=PATIENCE)
        smtp.login(user, password)
        return smtp

    def deliver(self, to, text, sender="someone@elsewhere.test"):
        """Hands in a message on the MX port as a stranger would."""
        with self.smtp() as smtp:
            return smtp.sendmail(sender, [to] if isinstance(to, str) else to, text)

    def count(self, user, mailbox="INBOX"):
        return self.json("mailbox", "status", user, mailbox)["messages"]

    def wait_for_mail(self, user, count=1, mailbox="INBOX"):
        wait_until(lambda: self.count(user, mailbox) >= count, f"{count} messages for {user}")

    def messages(self, user, mailbox="INBOX"):
        """All messages as bytes, over IMAP."""
        with self.imap(user) as imap:
            imap.select(mailbox, readonly=True)
            _, found = imap.search(None, "ALL")
            numbers = found[0].split()
            if not numbers:
                return []
            _, parts = imap.fetch(b",".join(numbers), "(BODY.PEEK[])")
        return [part[1] for part in parts if isinstance(part, tuple)]
