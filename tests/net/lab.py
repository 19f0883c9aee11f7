"""A small internet in network namespaces: hosts on one bridge, and a signed DNS between them.

    with Lab(folder) as lab:
        one = lab.host("one", "192.0.2.1")
        lab.serve_dns({"one.test": ["MX 10 mx.one.test."], ...})
        with one.inside(): ...          # sockets and processes made here belong to that host

Nothing of it is seen outside: the bridge has a namespace of its own. Needs root. All namespaces and
processes end with the `with` block.
"""
import contextlib
import ctypes
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/e2e"))
from server import wait_until  # noqa: E402

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
NETWORK = "192.0.2"  # RFC 5737
DNS_ADDRESS = f"{NETWORK}.53"


def run(*args, **options):
    done = subprocess.run([str(arg) for arg in args], capture_output=True, text=True, timeout=60,
                          **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, args))}: {done.stderr or done.stdout}")
    return done.stdout


def set_namespace(path):
    with open(path) as file:
        if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {path}")


def remove_leftovers():
    """Namespaces, with all that runs in them, of tests that were killed."""
    for line in run("ip", "netns", "list").splitlines():
        name = line.split()[0]
        owner = re.match(r"postane(\d+)-", name)
        if owner is None or pathlib.Path("/proc", owner[1]).exists():
            continue
        for pid in run("ip", "netns", "pids", name).split():
            os.kill(int(pid), signal.SIGKILL)
        run("ip", "netns", "delete", name)
        shutil.rmtree(pathlib.Path("/etc/netns") / name, ignore_errors=True)


class Host:
    """One namespace with an address on the bridge."""

    def __init__(self, lab, name, address):
        self.name, self.address, self.home = name, address, lab.home
        self.stack = lab.stack
        self.namespace = f"{lab.prefix}-{name}"
        run("ip", "netns", "add", self.namespace)
        lab.stack.callback(run, "ip", "netns", "delete", self.namespace)
        run("ip", "-n", self.namespace, "link", "set", "lo", "up")
        if address:
            self.connect(lab.bridge)

    def connect(self, bridge):
        port = f"v-{self.name}"
        run("ip", "-n", bridge.namespace, "link", "add", port, "type", "veth", "peer", "name",
            "eth0", "netns", self.namespace)
        run("ip", "-n", bridge.namespace, "link", "set", port, "master", "br0", "up")
        run("ip", "-n", self.namespace, "address", "add", f"{self.address}/24", "dev", "eth0")
        run("ip", "-n", self.namespace, "link", "set", "eth0", "up")

    def use_resolver(self, address):
        """For programs that read /etc/resolv.conf, when started with `ip netns exec`."""
        folder = pathlib.Path("/etc/netns") / self.namespace
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "resolv.conf").write_text(f"nameserver {address}\noptions edns0 trust-ad\n")
        self.stack.callback(shutil.rmtree, folder)

    def add_address(self, address):
        run("ip", "-n", self.namespace, "address", "add", f"{address}/24", "dev", "eth0")

    @contextlib.contextmanager
    def inside(self):
        """This thread, and what it starts, is on this host."""
        set_namespace(f"/run/netns/{self.namespace}")
        try:
            yield
        finally:
            libc.setns(self.home.fileno(), CLONE_NEWNET)


class Lab:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.prefix = f"postane{os.getpid()}"
        self.stack = contextlib.ExitStack()
        self.home = self.stack.enter_context(open("/proc/self/ns/net"))
        self.trust_anchor = self.folder / "test.ds"

    def __enter__(self):
        remove_leftovers()
        try:
            self.bridge = Host(self, "bridge", None)
            run("ip", "-n", self.bridge.namespace, "link", "add", "br0", "type", "bridge")
            run("ip", "-n", self.bridge.namespace, "link", "set", "br0", "up")
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *error):
        self.stack.close()

    def host(self, name, address):
        return Host(self, name, address)

    def start(self, host, *command):
        """A daemon on a host; ends with the lab."""
        log = open(self.folder / f"{pathlib.Path(command[0]).name}.log", "ab")
        with host.inside():
            process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log,
                                       stdin=subprocess.DEVNULL)
        log.close()
        self.stack.callback(self.end, process)
        return process

    @staticmethod
    def end(process):
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)

    # --- DNS: Knot signs the zone "test.", Unbound in front of it answers as a forwarder ---

    def serve_dns(self, records):
        """`records`: {"one.test": ["MX 10 mx.one.test.", ...]}, all under test."""
        self.dns = self.host("dns", DNS_ADDRESS)
        self.records = records
        (self.folder / "knot").mkdir()
        self.write_zones()
        (self.folder / "knot.conf").write_text(f"""
server:
    rundir: {self.folder}/knot
    listen: 127.0.0.1@5353
database:
    storage: {self.folder}/knot
policy:
  - id: signed
    algorithm: ecdsap256sha256
    nsec3: off
template:
  - id: default
    storage: {self.folder}
    zonefile-sync: -1
    zonefile-load: difference-no-serial
    journal-content: all
zone:
  - domain: test.
    file: test.zone
    dnssec-signing: on
    dnssec-policy: signed
  - domain: 2.0.192.in-addr.arpa.
    file: reverse.zone
""")
        self.knot = self.start(self.dns, "/usr/sbin/knotd", "-c", self.folder / "knot.conf")
        self.read_trust_anchor()
        self.start_forwarder()

    def zone_text(self, origin, records):
        serial = int(time.time())
        lines = [f"$ORIGIN {origin}", "$TTL 5",
                 f"@ SOA ns.test. hostmaster.test. {serial} 3600 600 86400 1", "@ NS ns.test."]
        lines += [f"{name}. {record}" for name, rows in records.items() for record in rows]
        return "\n".join(lines) + "\n"

    def write_zones(self):
        reverse = {}
        for name, rows in self.records.items():
            for row in rows:
                kind, _, data = row.partition(" ")
                if kind == "A" and data.startswith(NETWORK):
                    last = data.rpartition(".")[2]
                    reverse.setdefault(f"{last}.2.0.192.in-addr.arpa", [f"PTR {name}."])
        records = self.records | {"ns.test": ["A 127.0.0.1"]}
        (self.folder / "test.zone").write_text(self.zone_text("test.", records))
        (self.folder / "reverse.zone").write_text(
            self.zone_text("2.0.192.in-addr.arpa.", reverse))

    def change_dns(self, name, rows):
        """Other records for one name, signed and seen by the next question."""
        self.records[name] = rows
        self.write_zones()
        run("knotc", "-s", self.folder / "knot/knot.sock", "-b", "zone-reload", "test.")
        with self.dns.inside():
            run("unbound-control", "-c", self.folder / "unbound.conf", "flush_zone", "test.")

    def ask(self, name, kind, port=53):
        with self.dns.inside():
            server = "127.0.0.1" if port != 53 else DNS_ADDRESS
            return subprocess.run(["kdig", f"@{server}", "-p", str(port), "+short", "+time=1",
                                   "+retry=0", name, kind], capture_output=True, text=True,
                                  timeout=10).stdout.strip()

    def read_trust_anchor(self):
        wait_until(lambda: self.ask("test.", "RRSIG", 5353), "the zone is signed")
        lines = run("keymgr", "-c", self.folder / "knot.conf", "test.", "ds").splitlines()
        self.trust_anchor.write_text("".join(line + "\n" for line in lines if " 13 2 " in line))

    def start_forwarder(self):
        (self.folder / "unbound.conf").write_text(f"""
server:
    interface: {DNS_ADDRESS}
    access-control: {NETWORK}.0/24 allow
    do-not-query-localhost: no
    directory: "{self.folder}"
    chroot: ""
    username: ""
    pidfile: "{self.folder}/unbound.pid"
    use-syslog: no
    do-daemonize: no
    cache-max-negative-ttl: 1
    local-zone: "test." transparent
    local-zone: "2.0.192.in-addr.arpa." nodefault
    domain-insecure: "2.0.192.in-addr.arpa."
    trust-anchor-file: "{self.trust_anchor}"
    module-config: "validator iterator"
remote-control:
    control-enable: yes
    control-use-cert: no
    control-interface: {self.folder}/unbound.sock
stub-zone:
    name: "test."
    stub-addr: 127.0.0.1@5353
stub-zone:
    name: "2.0.192.in-addr.arpa."
    stub-addr: 127.0.0.1@5353
""")
        self.start(self.dns, "/usr/sbin/unbound", "-c", self.folder / "unbound.conf")
        wait_until(lambda: self.ask("ns.test.", "A"), "the forwarder answers")
        with self.dns.inside():
            flags = run("kdig", f"@{DNS_ADDRESS}", "+dnssec", "ns.test.", "A")
        if " ad;" not in flags and " ad " not in flags.split("Flags:")[1].split(";")[0] + " ":
            raise RuntimeError(f"the answers are not validated:\n{flags}")
