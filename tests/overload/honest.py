#!/usr/bin/python3
"""Honest clients beside a flood: how long a NOOP takes, and whether one that comes anew gets in.

    honest.py, and on standard input a JSON object of what it needs to know; ends at its end of input

Four sessions over TLS that were there before say NOOP twenty times a second in turn; each second somebody
logs in (with a right password that the server has not seen since it started, as long as there are such
accounts), and a message is delivered. Prints JSON lines: {"noop": [ms...], "errors": [...], ...} each second.
"""
import json
import select
import socket
import ssl
import sys
import threading
import time


class Session:
    def __init__(self, known, account, source):
        plain = socket.create_connection(("127.0.0.1", known["ports"]["imaps"]), 60, (source, 0))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.socket = context.wrap_socket(plain)
        self.file = self.socket.makefile("rb")
        greeting = self.file.readline()
        assert greeting.startswith(b"* OK"), greeting
        answer = self.ask(f'a LOGIN {account} "{known["password"]}"')
        assert answer.startswith(b"a OK"), answer

    def ask(self, text):
        self.socket.sendall(text.encode() + b"\r\n")
        while True:
            line = self.file.readline()
            if not line:
                raise EOFError(text)
            if line.startswith(text[:1].encode() + b" "):
                return line

    def close(self):
        self.file.close()
        self.socket.close()


class Honest:
    def __init__(self, known):
        self.known = known
        self.noops, self.logins, self.errors, self.turned_away = [], [], [], []
        self.stop = threading.Event()

    def patient(self, account, source):
        """Logs in; somebody who is told to come later does."""
        for _ in range(20):
            try:
                return Session(self.known, account, source)
            except (OSError, AssertionError, EOFError, ssl.SSLError) as error:
                self.turned_away.append(repr(error))
                time.sleep(1)
        raise EOFError("nobody gets in")

    def noop(self, number, sessions):
        while not self.stop.wait(0.2):
            try:
                start = time.monotonic()
                answer = sessions[number].ask("n NOOP")
                self.noops.append((time.monotonic() - start) * 1000)
                assert answer.startswith(b"n OK"), answer
            except Exception as error:
                self.errors.append(f"NOOP: {error!r}")
                return

    def newcomer(self):
        number = 0
        while not self.stop.wait(1):
            try:
                account = self.known["newcomers"][number % len(self.known["newcomers"])]
                number += 1
                start = time.monotonic()
                session = self.patient(account, "127.9.9.9")
                self.logins.append((time.monotonic() - start) * 1000)
                assert session.ask("s SELECT INBOX").startswith((b"s OK", b"s NO [UNAVAILABLE]"))
                session.close()
            except Exception as error:
                self.errors.append(f"newcomer: {error!r}")

    def mail(self):
        while not self.stop.wait(1):
            try:
                with socket.create_connection(("127.0.0.1", self.known["ports"]["smtp"]), 60, ("127.9.9.8", 0)) as wire:
                    file = wire.makefile("rb")
                    first = file.readline()
                    if first.startswith(b"421"):
                        self.turned_away.append(first.decode())
                        continue
                    for text, wanted in ((b"HELO honest.test", b"250"), (b"MAIL FROM:<h@honest.test>", b"250"),
                                         (f"RCPT TO:<{self.known['accounts'][0]}>".encode(), b"250"), (b"DATA", b"354"),
                                         (b"Subject: honest\r\n\r\nhello\r\n.", b"250"), (b"QUIT", b"221")):
                        wire.sendall(text + b"\r\n")
                        line = file.readline()
                        if line.startswith(b"452"):
                            self.turned_away.append(line.decode())
                            break
                        assert line.startswith(wanted), (text, line)
            except Exception as error:
                self.errors.append(f"mail: {error!r}")

    def report(self):
        row = {"noop": self.noops, "login": self.logins, "errors": self.errors, "turned_away": self.turned_away}
        self.noops, self.logins, self.errors, self.turned_away = [], [], [], []
        print(json.dumps(row), flush=True)

    def run(self):
        sessions = [Session(self.known, self.known["honest"], f"127.9.1.{number + 1}") for number in range(4)]
        threads = [threading.Thread(target=self.noop, args=(number, sessions)) for number in range(4)]
        threads += [threading.Thread(target=self.newcomer), threading.Thread(target=self.mail)]
        for thread in threads:
            thread.daemon = True
            thread.start()
        print("ready", flush=True)
        while not select.select([sys.stdin], [], [], 1)[0]:
            self.report()
        self.stop.set()
        for thread in threads:
            thread.join(30)
        self.report()


if __name__ == "__main__":
    Honest(json.loads(sys.stdin.readline())).run()
