"""The lab's inhabitants:

    one.test, two.test   Postane                     192.0.2.1, .2
    three.test           Postfix, with OpenDKIM and rspamd as milters   .3
    four.test            Exim                        .4
    five.test            OpenSMTPD                   .5
    six.test             aiosmtpd                    .6

Postane's domains publish what `postane domain dns` says, the others MX, SPF and what they sign with.
"""
from domains import Ca, Postane
from lab import NETWORK, Lab
from peers import Aiosmtpd, Exim, OpenDkim, OpenSmtpd, PostfixPeer, Rspamd


class Net:
    def __init__(self, folder, stack):
        self.lab = lab = stack.enter_context(Lab(folder))
        self.ca = Ca(lab.folder / "ca")
        self.one = Postane(lab, self.ca, "one", f"{NETWORK}.1")
        self.two = Postane(lab, self.ca, "two", f"{NETWORK}.2")
        self.three = PostfixPeer(lab, self.ca, "three", f"{NETWORK}.3")
        self.four = Exim(lab, self.ca, "four", f"{NETWORK}.4")
        self.five = OpenSmtpd(lab, self.ca, "five", f"{NETWORK}.5")
        self.six = Aiosmtpd(lab, self.ca, "six", f"{NETWORK}.6")
        self.opendkim = OpenDkim(lab.folder / "opendkim", self.three, "three.test")
        self.rspamd = Rspamd(lab.folder / "rspamd", self.three)
        lab.serve_dns(self.records())
        for domain in (self.one, self.two):
            domain.start()
            stack.callback(domain.stop)
        self.opendkim.start()
        self.rspamd.start()
        self.three.start(milters=(Rspamd.PORT, OpenDkim.PORT))
        for peer in (self.four, self.five, self.six):
            peer.start()

    def records(self):
        records = {self.opendkim.name: [self.opendkim.record],
                   "_dmarc.three.test": ['TXT "v=DMARC1; p=reject"']}
        for number, name in enumerate(("three", "four", "five", "six"), 3):
            records[f"{name}.test"] = [f"MX 10 mx.{name}.test.", 'TXT "v=spf1 mx -all"']
            records[f"mx.{name}.test"] = [f"A {NETWORK}.{number}", 'TXT "v=spf1 a -all"']
        for domain in (self.one, self.two):
            records |= domain.records()
        return records

    def logs(self):
        for domain in (self.one, self.two):
            yield domain.domain, domain.server.log()
        for peer in (self.three, self.four, self.five):
            yield peer.domain, peer.log()
