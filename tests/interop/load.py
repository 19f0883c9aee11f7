"""Keeps an account busy while mail clients are tried on it: several sessions work on folders of
their own until this program is told to stop (SIGTERM). The environment is that of the clients
(MAIL_HOST, IMAPS_PORT, MAIL_USER, MAIL_PASS, MAIL_CA).

SIGUSR1 says that a client comes which mirrors all folders: until SIGUSR2 there are none
of ours, and the sessions only read INBOX. "reading" is printed when all have changed over.

The clients' rigs delete folders that they do not know: a session that loses its folder makes it
again. Anything else but OK, or an answer that does not come, is a failure: the exit code says so.
"""
import imaplib
import os
import random
import signal
import ssl
import sys
import threading

SESSIONS = 4
PATIENCE = 60
FOLDER_GONE = ("NONEXISTENT", "TRYCREATE", "deleted")

stop, reading = threading.Event(), threading.Event()
changed_over = threading.Barrier(SESSIONS, lambda: print("reading", flush=True))
counts, failures = {}, []
lock = threading.Lock()


class Gone(Exception):
    """The folder was deleted."""


class Worker:
    def __init__(self, number):
        self.folder = f"Busy {number}"
        self.random = random.Random(number)
        self.imap = None

    def ask(self, what, answer):
        status, data = answer
        text = b" ".join(part for part in data if isinstance(part, bytes)).decode(errors="replace")
        if status != "OK" and any(word in text for word in FOLDER_GONE):
            raise Gone
        if status != "OK":
            raise AssertionError(f"{what}: {status} {text}")
        with lock:
            counts[what] = counts.get(what, 0) + 1
        return data

    def connect(self):
        tls = ssl.create_default_context(cafile=os.environ["MAIL_CA"])
        self.imap = imaplib.IMAP4_SSL(os.environ.get("MAIL_HOST", "localhost"),
                                      int(os.environ["IMAPS_PORT"]), ssl_context=tls,
                                      timeout=PATIENCE)
        self.ask("login", self.imap.login(os.environ["MAIL_USER"], os.environ["MAIL_PASS"]))

    def select(self):
        self.imap.create(f'"{self.folder}"')
        self.ask("select", self.imap.select(f'"{self.folder}"'))

    def append(self):
        words = " ".join(self.random.choices(["post", "office", "letter", "stamp"], k=200))
        message = f"Subject: load {self.random.random()}\r\n\r\n{words}\r\n".encode()
        self.ask("append", self.imap.append(f'"{self.folder}"', "", None, message))

    def store(self):
        flag = self.random.choice([r"\Seen", r"\Flagged", r"\Deleted", "$Load"])
        sign = self.random.choice("+-")
        self.ask("store", self.imap.uid("STORE", "1:*", f"{sign}FLAGS", f"({flag})"))

    def fetch(self):
        self.ask("fetch", self.imap.uid("FETCH", "1:*", "(FLAGS ENVELOPE BODY.PEEK[TEXT]<0.100>)"))

    def search(self):
        self.ask("search", self.imap.uid("SEARCH", "OR", "TEXT", "office", "UNSEEN"))

    def copy(self):
        self.ask("copy", self.imap.uid("COPY", "*", f'"{self.folder}"'))

    def expunge(self):
        self.ask("expunge", self.imap.expunge())

    def read(self):
        """Gives the folder up and reads INBOX until writing is asked for again."""
        self.ask("close", self.imap.close())
        self.ask("delete", self.imap.delete(f'"{self.folder}"'))
        changed_over.wait(PATIENCE)
        self.ask("examine", self.imap.select("INBOX", readonly=True))
        while reading.is_set() and not stop.is_set():
            self.random.choice([self.fetch, self.search])()
        self.select()

    def work(self):
        steps = [self.append] * 4 + [self.store, self.fetch, self.search, self.copy, self.expunge]
        self.connect()
        self.select()
        while not stop.is_set():
            if reading.is_set():
                self.read()
            self.random.choice(steps)()
            if int(self.imap.response("EXISTS")[1][-1] or 0) > 200:
                self.ask("store", self.imap.uid("STORE", "1:*", "+FLAGS", r"(\Deleted)"))
                self.expunge()
        self.imap.logout()

    def folder_is_there(self):
        self.connect()
        return self.ask("list", self.imap.list('""', f'"{self.folder}"')) != [None]

    def run(self):
        while not stop.is_set():
            try:
                self.work()
            except Gone:
                continue
            except (imaplib.IMAP4.abort, OSError) as error:
                # a deleted folder ends the session; BYE may be lost in the reset that follows
                if self.folder_is_there():
                    failures.append(f"{self.folder}: {error}")
                    return
            except Exception as error:  # whatever it is, it ends the run as a failure
                failures.append(f"{self.folder}: {type(error).__name__}: {error}")
                return


def main():
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGUSR1, lambda *_: reading.set())
    signal.signal(signal.SIGUSR2, lambda *_: reading.clear())
    threads = [threading.Thread(target=Worker(i).run) for i in range(SESSIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("load:", ", ".join(f"{count} {what}" for what, count in sorted(counts.items())))
    for failure in failures:
        print("failed:", failure)
    sys.exit(1 if failures or not counts else 0)


main()
