"""What must keep a server from starting, and what must not."""
import os
import pathlib
import sqlite3
import subprocess
import tempfile

import pytest

from server import BUILD, DOMAIN, PATIENCE, make_certificate, wait_until


def serve(server):
    return subprocess.run([BUILD / "admin/postane", "-c", server.config, "serve"],
                          capture_output=True, text=True, timeout=PATIENCE)


@pytest.mark.parametrize("section, key, value, what", [
    ("smtp", "message_sizs", "10M", "did you mean message_size?"),
    ("smtp", "message_size", "huge", "message_size"),
    ("smtp", "message_size", "1", "message_size"),
    ("auth", "plaintext", "perhaps", "plaintext"),
    ("nonsense", "key", "1", "nonsense"),
])
def test_wrong_setting_names_file_and_line(make_server, section, key, value, what):
    server = make_server()
    server.settings.setdefault(section, {})[key] = value
    server.write_config()
    line = server.config.read_text().splitlines().index(f"{key} = {value}") + 1
    done = serve(server)
    assert done.returncode == 1
    assert f"{server.config}:{line}:" in done.stderr and what in done.stderr


@pytest.mark.parametrize("section, key, value, what", [
    ("postane", "hostname", "mail host", '"mail host" is no host name'),
    ("dns", "resolver", "nonsense", "[dns] resolver = nonsense"),
    ("dns", "trust_anchor", "/nowhere", "[dns] trust_anchor = /nowhere"),
    ("tls", "authorities", "/nowhere", "[tls] authorities = /nowhere"),
    ("tls", "authorities", "/etc/hosts", "[tls] authorities = /etc/hosts"),
    ("smtp", "routes", "x.test=relay:host", "[smtp] routes"),
    ("door", "dnsbl", "a.test=1", "[door] dnsbl"),
    ("milter", "servers", "inet:name:1", "[milter] servers"),
])
def test_wrong_value_stops_serve(make_server, section, key, value, what):
    server = make_server()
    server.settings.setdefault(section, {})[key] = value
    server.write_config()
    done = serve(server)
    assert done.returncode == 1 and what in done.stderr


def test_missing_config_and_store(make_server, tmp_path):
    server = make_server()
    done = server.command("account", "list", config=tmp_path / "none.conf")
    assert done.returncode == 1 and "none.conf" in done.stderr
    server.settings["postane"]["data"] = tmp_path / "empty"
    server.write_config()
    done = serve(server)
    assert done.returncode == 1 and "postane init" in done.stderr


@pytest.mark.parametrize("database", ["postane.db", "queue.db"])
def test_newer_data_is_refused(make_server, database):
    server = make_server()
    with sqlite3.connect(server.data / database) as db:
        db.execute("PRAGMA user_version = 99")
    done = serve(server)
    assert done.returncode == 1
    assert "newer" in done.stderr and database in done.stderr


def test_newer_account_is_refused_alone(make_server):
    """One account of a newer version does not keep the others from their mail."""
    server = make_server()
    new, old = server.add_account(f"new@{DOMAIN}"), server.add_account(f"old@{DOMAIN}")
    number = server.json("account", "show", new)["id"]
    path = next(pathlib.Path(server.data).glob(f"accounts/*/{number}/mail.db"))
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    with server:
        server.imap(old).select("INBOX")
        server.deliver(old, "Subject: x\n\nx\n")
        server.wait_for_mail(old)
        assert server.command("mailbox", "list", new).returncode == 1


def test_missing_certificate_stops_serve(make_server):
    server = make_server()
    (server.folder / "cert.pem").unlink()
    done = serve(server)
    assert done.returncode == 1
    assert "cert.pem" in done.stderr and "cannot start" in done.stderr


def test_port_in_use(make_server, server):
    other = make_server()
    other.settings["listen"]["imap"] = f"127.0.0.1:{server.ports['imap']}"
    other.write_config()
    done = serve(other)
    assert done.returncode == 1 and "another program listens there" in done.stderr


def test_daemon_without_sockets_says_what_to_do(make_server):
    server = make_server()
    for name in ("smtpd", "imapd", "pop3d"):
        done = subprocess.run([BUILD / name / name, "-c", server.config], capture_output=True,
                              text=True, timeout=PATIENCE)
        assert done.returncode != 0 and "postane serve" in done.stderr


def init(folder, *options):
    environment = os.environ | {"POSTANE_CONFIG": str(folder / "new.conf")}
    return subprocess.run([BUILD / "admin/postane", "init", *options], env=environment,
                          capture_output=True, text=True, timeout=PATIENCE)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_init_changes_nothing_without_the_user(tmp_path):
    done = init(tmp_path, "--data", tmp_path / "data", "--user", "nobody-of-that-name")
    assert done.returncode == 1 and "useradd" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_init_tells_of_a_key_that_the_user_cannot_read():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        make_certificate(folder)
        (folder / "key.pem").chmod(0o600)
        done = init(folder, "--data", folder / "data", "--user", "nobody", "--certificate",
                    folder / "cert.pem", "--key", folder / "key.pem")
        assert done.returncode == 0, done.stderr
        assert f"made {folder}/data." in done.stdout
        assert f"the user nobody cannot read {folder}/key.pem" in done.stdout
        assert "cert.pem (" not in done.stdout


def test_init_keeps_what_is_there(make_server):
    server = make_server()
    server.add_account(f"kept@{DOMAIN}")
    again = server.command("init", "--data", str(server.data), "--user", "")
    assert again.returncode == 1 and "--force" in again.stderr
    server.run("init", "--data", str(server.data), "--user", "", "--force", "--domain", DOMAIN)
    assert [row["address"] for row in server.json("account", "list")] == [f"kept@{DOMAIN}"]


def test_stop_says_goodbye(make_server):
    server = make_server()
    account = server.add_account(f"bye@{DOMAIN}")
    with server:
        imap, pop, smtp = server.imap(account), server.pop3(account), server.smtp()
        smtp.ehlo()
        server.process.terminate()
        assert imap.readline().startswith(b"* BYE")
        assert smtp.file.readline().startswith(b"421")
        pop.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a small file system")
def test_disk_full(make_server):
    """452 and NO [UNAVAILABLE] while there is no room, and all is well when there is some again."""
    server = make_server()
    account = server.add_account(f"full@{DOMAIN}")
    small = server.folder / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24M", "tmpfs", small], check=True)
    try:
        subprocess.run(["cp", "-a", server.data, small], check=True)
        server.data = server.settings["postane"]["data"] = small / "data"
        server.write_config()
        with server:
            check_full(server, account, small / "filler")
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def check_full(server, account, filler):
    server.deliver(account, "Subject: before\n\nx\n")
    server.wait_for_mail(account)
    with open(filler, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 65536)
        except OSError:
            pass
    text = "Subject: full\n\n" + ("x" * 70 + "\n") * 10000
    with server.smtp() as smtp, server.imap(account) as imap:
        smtp.ehlo("c")
        smtp.mail("a@elsewhere.test")
        code, answer = smtp.rcpt(account)
        if code == 250:
            code, answer = smtp.data(text)
        assert (code, answer[:5]) == (452, b"4.3.1")
        typ, answer = imap.append("INBOX", None, None, text.replace("\n", "\r\n").encode())
        assert typ == "NO" and b"UNAVAILABLE" in answer[0]
    filler.unlink()
    assert server.count(account) == 1
    server.deliver(account, text)
    server.wait_for_mail(account, 2)
    wait_until(lambda: server.command("check", "--hashes").returncode == 0, "no damage")
