"""A milter made with Debian's pymilter (libmilter itself): what it does is in the message's Subject.

    /usr/bin/python3 pymilter_filter.py SOCKET
"""
import sys

import Milter

KINDS = Milter.ADDHDRS | Milter.CHGHDRS | Milter.CHGBODY | Milter.ADDRCPT | Milter.DELRCPT \
    | Milter.QUARANTINE | Milter.CHGFROM


class Filter(Milter.Base):
    def connect(self, name, family, address):
        self.seen = {"client": address[0] if address else "", "j": self.getsymval("j")}
        return Milter.CONTINUE

    def hello(self, name):
        self.seen["helo"] = name
        self.seen["tls"] = self.getsymval("{tls_version}")
        return Milter.CONTINUE

    def envfrom(self, sender, *parameters):
        self.subject, self.size = "", 0
        self.seen["from"] = sender
        self.seen["login"] = self.getsymval("{auth_authen}")
        return Milter.CONTINUE

    def envrcpt(self, to, *parameters):
        self.seen["to"] = to
        return Milter.CONTINUE

    def header(self, name, value):
        if name.lower() == "subject":
            self.subject = value
        return Milter.CONTINUE

    def body(self, chunk):
        self.size += len(chunk)
        return Milter.CONTINUE

    def eom(self):
        self.seen["id"] = self.getsymval("i")
        self.seen["size"] = self.size
        return getattr(self, "do_" + self.subject.split()[0], self.do_mark)()

    def do_mark(self):
        self.addheader("X-Seen", " ".join(f"{name}={value}" for name, value in self.seen.items()))
        return Milter.ACCEPT

    def do_reject(self):
        self.setreply("554", "5.7.1", "Not this")
        return Milter.REJECT

    def do_later(self):
        return Milter.TEMPFAIL

    def do_discard(self):
        return Milter.DISCARD

    def do_quarantine(self):
        self.quarantine("looks odd")
        return Milter.ACCEPT

    def do_change(self):
        self.chgheader("Subject", 1, "changed")
        self.addheader("X-First", "1", 0)
        self.replacebody(b"Another body.\r\n")
        return Milter.ACCEPT

    def do_redirect(self):
        self.delrcpt(self.seen["to"])
        self.addrcpt("<" + self.subject.split()[1] + ">")
        return Milter.ACCEPT


def main():
    Milter.factory = Filter
    Milter.set_flags(KINDS)
    Milter.set_exception_policy(Milter.TEMPFAIL)
    print("ready", flush=True)
    Milter.runmilter("filter", sys.argv[1], 60)


main()
