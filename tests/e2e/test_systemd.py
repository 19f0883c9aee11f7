"""The units that are installed: systemd finds nothing wrong with them, and how confined they are; and
a daemon that is started by a socket as they say."""
import os
import re
import shutil
import signal
import socket
import subprocess

import pytest

from server import BUILD, ROOT, free_ports

DAEMONS = ["smtpd", "imapd", "pop3d"]
EXPOSURE_MAX = 1.5

pytestmark = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is missing")


@pytest.fixture
def units(tmp_path):
    """The folder with all units, as if the build folder were where they are installed."""
    folder = tmp_path / "units"
    folder.mkdir()
    shutil.copy(ROOT / "doc/systemd/postane.target", folder)
    for unit in [*(BUILD / "doc").glob("*.service"), *(BUILD / "doc").glob("*.socket")]:
        text = re.sub(r"^ExecStart=\S*/(\w+)", lambda m: f"ExecStart={program(m[1])}",
                      unit.read_text(), flags=re.M)
        (folder / unit.name).write_text(text)
    return folder


def program(name):
    return BUILD / ("admin" if name == "postane" else name) / name


def analyze(units, *args):
    return subprocess.run(["systemd-analyze", *args], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "SYSTEMD_UNIT_PATH": f"{units}:"})


def test_verify(units):
    names = [unit.name for unit in units.iterdir()]
    assert len(names) == 12
    done = analyze(units, "verify", "--man=no", *names)
    complaints = [line for line in (done.stdout + done.stderr).splitlines() if "postane" in line]
    assert complaints == []


@pytest.mark.parametrize("daemon", DAEMONS)
def test_exposure(units, daemon):
    done = analyze(units, "security", "--offline=yes", "--no-pager",
                   str(units / f"postane-{daemon}.service"))
    [level] = re.findall(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert float(level) <= EXPOSURE_MAX, done.stdout


def test_socket_activation(make_server):
    """The socket is systemd's, as is its name; the first client starts the daemon."""
    server, [port] = make_server(), free_ports(1)
    daemon = subprocess.Popen(
        ["systemd-socket-activate", "-l", f"127.0.0.1:{port}", "--fdname=imap",
         BUILD / "imapd/imapd", "--config", server.config],
        stderr=subprocess.PIPE, text=True)
    try:
        assert "Listening on" in daemon.stderr.readline()
        with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
            assert client.makefile("rb").readline().startswith(b"* OK ")
    finally:
        daemon.send_signal(signal.SIGTERM)
        rest = daemon.communicate(timeout=30)[1]
    assert daemon.returncode == 0, rest
