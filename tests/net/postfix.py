"""A Postfix of its own in a folder: own configuration, queue and mailboxes, on one host of the lab.
"""
import os
import pathlib
import subprocess

from lab import run, wait_until
from packages import peer_root

SERVICES = """smtp inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    def __init__(self, folder, host, name, domain, settings=None):
        """Takes mail for user@domain into folder/mail/user, one mbox."""
        self.folder, self.host = pathlib.Path(folder), host
        self.root = peer_root("postfix")
        self.environment = os.environ | {"LD_LIBRARY_PATH": str(self.root / "usr/lib/postfix")}
        for part in ("etc", "spool", "data", "mail"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        run("chown", "mail", self.folder / "data", self.folder / "mail")
        values = self.settings(name, domain) | (settings or {})
        (self.folder / "etc/main.cf").write_text(
            "".join(f"{key} = {value}\n" for key, value in values.items()))
        (self.folder / "etc/master.cf").write_text(SERVICES)

    def settings(self, name, domain):
        library = self.root / "usr/lib/postfix"
        return {
            "compatibility_level": "3.6",
            "queue_directory": self.folder / "spool",
            "data_directory": self.folder / "data",
            "daemon_directory": library / "sbin",
            "command_directory": self.root / "usr/sbin",
            "shlib_directory": library,
            "meta_directory": self.root / "etc/postfix",
            "import_environment": "LD_LIBRARY_PATH MAIL_CONFIG TZ MAIL_DEBUG",
            "mail_owner": "mail",
            "setgid_group": "utmp",
            "maillog_file": self.folder / "log",
            "maillog_file_prefixes": self.folder,
            "myhostname": name,
            "mydestination": "",
            "inet_protocols": "ipv4",
            "alias_maps": "",
            "alias_database": "",
            "virtual_mailbox_domains": domain,
            "virtual_mailbox_base": self.folder / "mail",
            "virtual_mailbox_maps": "inline:{user@%s=user}" % domain,
            "virtual_uid_maps": "static:8",
            "virtual_gid_maps": "static:8",
            "virtual_minimum_uid": 1,
            "mynetworks": "127.0.0.0/8",
            "smtpd_recipient_restrictions": "permit_mynetworks, reject_unauth_destination",
            "smtp_tls_security_level": "may",
            "smtp_tls_loglevel": 1,
            "minimal_backoff_time": "5s",
            "queue_run_delay": "2s",
        }

    def command(self, *args):
        """Through `ip netns exec`, which shows /etc/netns/NAME/resolv.conf as the machine's."""
        prefix = ["ip", "netns", "exec", self.host.namespace] if self.host else []
        return subprocess.run(
            [*prefix, self.root / "usr/sbin/postfix", "-c", self.folder / "etc", *args],
            capture_output=True, text=True, timeout=60, env=self.environment)

    def __enter__(self):
        done = self.command("start")
        if done.returncode != 0:
            raise RuntimeError(f"postfix start: {done.stderr} {self.log()[-2000:]}")
        wait_until((self.folder / "spool/pid/master.pid").exists, "Postfix runs")
        return self

    def __exit__(self, *error):
        self.command("stop")
        self.command("abort")

    def log(self):
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    def mailbox(self):
        path = self.folder / "mail/user"
        return path.read_bytes() if path.exists() else b""

    def queue_length(self):
        return sum(1 for part in ("incoming", "active", "deferred", "maildrop")
                   for path in (self.folder / "spool" / part).rglob("*") if path.is_file())
