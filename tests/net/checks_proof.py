"""What the others say of Postane's signatures, and Postane of theirs."""
import re
import smtplib

from domains import letter
from lab import wait_until


def results(message, server):
    """{"dkim": ["pass"], ...}, all different results of the Authentication-Results that `server` has added."""
    found = {}
    for value in message.get_all("Authentication-Results", []):
        name, _, rest = str(value).partition(";")
        if name.split()[0] == server:
            for method, result in re.findall(r"(?:^|;)\s*(\w+)=(\w+)", rest):
                found.setdefault(method, []).append(result)
    return {method: sorted(set(found[method])) for method in found}


def proof_keys_are_used(net):
    """A key signs once our own resolver has seen it in the DNS."""
    for domain in (net.one, net.two):
        def is_used():
            keys = domain.server.json("dkim", "list", domain.domain)
            return keys and all(key["state"] == "active" for key in keys)
        wait_until(is_used, f"the keys of {domain.domain} are in use", 40)


def proof_opendkim_says_pass(net):
    net.one.send(net.three.user, "signed, for OpenDKIM")
    message = net.three.wait_for("signed, for OpenDKIM")
    found = results(message, "opendkim.three.test")
    assert "pass" in found.get("dkim", []), message.as_string()


def proof_rspamd_says_pass(net):
    net.one.send(net.three.user, "signed, for rspamd")
    found = results(net.three.wait_for("signed, for rspamd"), net.three.mx)
    for method in ("dkim", "spf", "dmarc"):
        assert found.get(method) == ["pass"], found


def proof_exim_says_pass(net):
    net.one.send(net.four.user, "signed, for Exim")
    net.four.wait_for("signed, for Exim")
    assert " DKIM=one.test " in net.four.log()


def proof_of_postfix_passes_here(net):
    net.three.send(net.one.user, "signed by OpenDKIM")
    found = results(net.one.wait_for("signed by OpenDKIM"), net.one.mx)
    for method in ("dkim", "spf", "dmarc"):
        assert found.get(method) == ["pass"], found


def proof_of_each_other(net):
    net.one.send(net.two.user, "signed by one")
    found = results(net.two.wait_for("signed by one"), net.two.mx)
    for method in ("dkim", "spf", "dmarc"):
        assert found.get(method) == ["pass"], found


def proof_forwarded_with_arc(net):
    """one -> an alias at two -> three: the way back is two's (SRS), the signature holds, two seals."""
    net.two.server.run("alias", "add", "forward@two.test", net.three.user)
    net.one.send("forward@two.test", "forwarded")
    message = net.three.wait_for("forwarded")
    found = results(message, net.three.mx)
    assert found.get("arc") == ["pass"] and found.get("spf") == ["pass"], found
    assert "pass" in found.get("dkim", []) and found.get("dmarc") == ["pass"], found
    assert "two.test" in message["Return-Path"], message["Return-Path"]


def proof_forged_is_refused(net):
    """three.test's policy is reject: nobody else sends in its name."""
    subject = "forged"
    with net.six.host.inside(), smtplib.SMTP("192.0.2.1", 25, net.six.mx, timeout=30) as smtp:
        try:
            smtp.sendmail(net.six.user, [net.one.user],
                          letter("user@three.test", net.one.user, subject))
        except smtplib.SMTPDataError as error:
            assert error.smtp_code // 100 == 5, error
            return
    raise AssertionError("it was taken")


CHECKS = [proof_keys_are_used, proof_opendkim_says_pass, proof_rspamd_says_pass,
          proof_exim_says_pass, proof_of_postfix_passes_here, proof_of_each_other,
          proof_forwarded_with_arc, proof_forged_is_refused]
