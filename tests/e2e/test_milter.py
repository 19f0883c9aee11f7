"""Filters as they attach to Postfix: a milter on libmilter, rspamd, opendkim, and broken ones."""
import email
import os
import pathlib
import shutil
import smtplib
import socket
import subprocess
import threading

import pytest

from server import DOMAIN, free_ports, wait_until

HERE = pathlib.Path(__file__).resolve().parent
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
ALICE = f"alice@{DOMAIN}"
BOB = f"bob@{DOMAIN}"


def note(subject, body="Hello."):
    return (f"From: a@elsewhere.test\nTo: {ALICE}\nSubject: {subject}\n"
            f"Date: Mon, 20 Jul 2026 10:00:00 +0000\nMessage-ID: <1@elsewhere.test>\n\n{body}\n")


def port_is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Process:
    """A filter's process, ready when `is_ready()`."""

    def __init__(self, arguments, is_ready, log):
        with open(log, "wb") as out:
            self.process = subprocess.Popen(arguments, stdout=out, stderr=subprocess.STDOUT)
        wait_until(lambda: self.process.poll() is not None or is_ready(), arguments[0])
        assert self.process.poll() is None, log.read_text()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.terminate()
        self.process.wait(30)


def start_pymilter(folder):
    path = folder / "milter.sock"
    return Process(["/usr/bin/python3", HERE / "pymilter_filter.py", f"unix:{path}"], path.exists,
                   folder / "pymilter.log"), f"unix:{path}"


RSPAMD = """
options {{ pidfile = "{folder}/rspamd.pid"; filters = ""; dns {{ nameserver = ["127.0.0.1:1:1"];
           timeout = 0.1s; retransmits = 1; }} }}
logging {{ type = "console"; level = "info"; }}
metric {{ name = "default"; actions {{ reject = 15; add_header = 6; }} }}
lua = "/usr/share/rspamd/rules/rspamd.lua";
worker "rspamd_proxy" {{
    bind_socket = "127.0.0.1:{port}"; milter = yes; timeout = 30s; count = 1;
    upstream "local" {{ default = yes; self_scan = yes; }}
}}
milter_headers {{ use = ["x-spamd-result", "x-rspamd-server"]; skip_local = false; }}
modules {{ path = "/usr/share/rspamd/plugins/milter_headers.lua"; }}
"""


def start_rspamd(folder):
    port, = free_ports(1)
    config = folder / "rspamd.conf"
    config.write_text(RSPAMD.format(folder=folder, port=port))
    arguments = ["rspamd", "-f", "-i", "-c", config,
                 "--var", f"DBDIR={folder}", "--var", f"RUNDIR={folder}",
                 "--var", f"LOGDIR={folder}"]
    return Process(arguments, lambda: port_is_open(port),
                   folder / "rspamd.log"), f"inet:127.0.0.1:{port}"


def start_opendkim(folder):
    port, = free_ports(1)
    key = folder / "dkim.pem"
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    key.chmod(0o600)
    config = folder / "opendkim.conf"
    config.write_text(f"Domain {DOMAIN}\nSelector test\nKeyFile {key}\nMode s\n"
                      f"Canonicalization relaxed/relaxed\nSocket inet:{port}@127.0.0.1\n"
                      "Background no\nSyslog no\nRequireSafeKeys no\nInternalHosts 127.0.0.1\n")
    return Process(["opendkim", "-f", "-x", config], lambda: port_is_open(port),
                   folder / "opendkim.log"), f"inet:127.0.0.1:{port}"


class Hostile:
    """Answers every connection with the same bytes, and then stays silent."""

    def __init__(self, answer):
        self.answer, self.held = answer, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.name = f"inet:127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        try:
            while True:
                peer, _ = self.listener.accept()
                self.held.append(peer)
                peer.sendall(self.answer)
        except OSError:
            pass

    def close(self):
        for peer in self.held:
            peer.close()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def with_milters(make_server, *names, **settings):
    server = make_server({"milter": {"servers": " ".join(names), **settings}})
    for address in (ALICE, BOB):
        server.add_account(address)
    return server


def refusal(server, text):
    with pytest.raises(smtplib.SMTPDataError) as caught:
        server.deliver(ALICE, text)
    return caught.value.smtp_code, caught.value.smtp_error.decode()


def only_message(server, account=ALICE, mailbox="INBOX"):
    server.wait_for_mail(account, 1, mailbox)
    texts = server.messages(account, mailbox)
    assert len(texts) == 1
    return email.message_from_bytes(texts[0])


@pytest.fixture
def pymilter(tmp_path, make_server):
    short = pathlib.Path(f"/tmp/pymilter-{os.getpid()}")
    short.mkdir()
    process, name = start_pymilter(short)
    with process, with_milters(make_server, name) as server:
        yield server
    shutil.rmtree(short)


def test_pymilter_sees_and_adds(pymilter):
    pymilter.deliver(ALICE, note("mark", "x" * 100000))
    seen = dict(part.split("=", 1) for part in only_message(pymilter)["X-Seen"].split())
    assert seen.pop("id")
    assert seen.pop("helo")
    assert seen == {"client": "127.0.0.1", "j": "mx.example.test", "tls": "None", "size": "100002",
                    "from": "<someone@elsewhere.test>", "to": f"<{ALICE}>", "login": "None"}


def test_pymilter_sees_submissions(pymilter):
    with pymilter.submission(BOB) as smtp:
        smtp.sendmail(BOB, [ALICE], note("mark"))
    seen = only_message(pymilter)["X-Seen"]
    assert f"login={BOB}" in seen and "tls=TLSv1.3" in seen


def test_pymilter_changes(pymilter):
    pymilter.deliver(ALICE, note("change"))
    message = only_message(pymilter)
    assert message["Subject"] == "changed" and message.get_payload() == "Another body.\r\n"
    names = message.keys()
    assert names.index("X-First") < names.index("From")


def test_pymilter_verdicts(pymilter):
    assert refusal(pymilter, note("reject")) == (554, "5.7.1 Not this")
    assert refusal(pymilter, note("later"))[0] == 451
    pymilter.deliver(ALICE, note("discard"))
    pymilter.deliver(ALICE, note("quarantine"))
    pymilter.deliver(ALICE, note(f"redirect {BOB}"))
    assert only_message(pymilter, ALICE, "Junk")["Subject"] == "quarantine"
    assert only_message(pymilter, BOB)["Subject"] == f"redirect {BOB}"
    assert pymilter.count(ALICE) == 0


def test_rspamd(tmp_path, make_server):
    process, name = start_rspamd(tmp_path)
    with process, with_milters(make_server, name) as server:
        code, text = refusal(server, note("spam", GTUBE))
        assert code == 554 and "Gtube" in text
        server.deliver(ALICE, note("ham"))
        message = only_message(server)
        assert message["X-Spamd-Result"] or message["X-Rspamd-Server"], message.as_string()


def test_opendkim_signs_submissions(tmp_path, make_server):
    process, name = start_opendkim(tmp_path)
    with process, with_milters(make_server, name) as server:
        with server.submission(BOB) as smtp:
            smtp.sendmail(BOB, [ALICE], note("signed").replace("a@elsewhere.test", BOB))
        message = only_message(server)
        assert f"d={DOMAIN}" in message["DKIM-Signature"]


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff" * 100,
                                    b"\0\0\0\1c", b"\0\0\0\0", b"\0\x0f\xff\xffb"])
def test_broken_milters(make_server, answer):
    hostile = Hostile(answer)
    with with_milters(make_server, hostile.name, timeout="1s") as server:
        assert refusal(server, note("hi"))[0] == 451
        assert "milter lost" in server.log()
    hostile.close()


def test_nobody_there(make_server):
    port, = free_ports(1)
    with with_milters(make_server, f"inet:127.0.0.1:{port}", "unix:/nobody/here",
                      on_failure="accept") as server:
        server.deliver(ALICE, note("hi"))
        assert only_message(server)["Subject"] == "hi"


def test_a_setting_that_is_wrong(make_server):
    server = make_server({"milter": {"servers": "inet:filter.example:1"}})
    with pytest.raises(AssertionError):
        server.start()
    assert "[milter] servers" in server.log()
    server.process.kill()
    server.process.wait()
