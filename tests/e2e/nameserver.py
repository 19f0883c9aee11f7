"""A name server of the test's own, on loopback: zone-file text in, answers over UDP and TCP out.

    server = Dns()
    server.add("far.test", "MX", "10 mx.far.test.")
    server.add("far.test", "TXT", '"v=spf1 -all"')
    settings = {"dns": {"resolver": server.server, "trust_anchor": "none"}}
"""
import socketserver
import struct
import threading

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

TTL = 1
UDP_MAX = 1232


class Dns:
    """Knows what was added; other names do not exist, `broken` ones are SERVFAIL."""

    def __init__(self):
        self.records, self.broken, self.asked = {}, set(), []
        owner = self

        class Udp(socketserver.BaseRequestHandler):
            def handle(self):
                packet, sock = self.request
                sock.sendto(owner.cut(packet, owner.answer(packet)), self.client_address)

        class Tcp(socketserver.BaseRequestHandler):
            def handle(self):
                head = self.request.recv(2)
                if len(head) == 2:
                    packet = self.request.recv(struct.unpack("!H", head)[0], 0x100)
                    answer = owner.answer(packet)
                    self.request.sendall(struct.pack("!H", len(answer)) + answer)

        self.udp, self.tcp = self.bind(Udp, Tcp)
        self.server = "127.0.0.1@%d" % self.udp.server_address[1]
        for server in (self.udp, self.tcp):
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    @staticmethod
    def bind(udp_handler, tcp_handler):
        """Both on one port, which the kernel chooses for one of them only."""
        for _ in range(100):
            udp = socketserver.ThreadingUDPServer(("127.0.0.1", 0), udp_handler)
            try:
                return udp, socketserver.ThreadingTCPServer(udp.server_address, tcp_handler)
            except OSError:
                udp.server_close()
        raise AssertionError("no port is free for both UDP and TCP")

    @staticmethod
    def key(name, kind):
        return dns.name.from_text(name).canonicalize(), dns.rdatatype.from_text(kind)

    def add(self, name, kind, text):
        """One record more; text that is longer than a string of TXT is split."""
        if kind == "TXT" and not text.startswith('"'):
            text = " ".join(f'"{text[i:i + 255]}"' for i in range(0, len(text), 255))
        key = self.key(name, kind)
        rdata = dns.rdata.from_text(dns.rdataclass.IN, key[1], text)
        self.records.setdefault(key, []).append(rdata)

    def set(self, name, kind, *texts):
        """These records, and no others of the kind."""
        self.records.pop(self.key(name, kind), None)
        for text in texts:
            self.add(name, kind, text)

    @staticmethod
    def soa(name):
        """How long it is known that there is nothing (RFC 2308 section 5)."""
        return dns.rrset.from_text(dns.name.Name(name.labels[-2:]), TTL, "IN", "SOA",
                                   f"ns.test. hostmaster.test. 1 1 1 1 {TTL}")

    @staticmethod
    def cut(packet, answer):
        """What is too long for UDP is asked for by TCP."""
        if len(answer) <= UDP_MAX:
            return answer
        reply = dns.message.make_response(dns.message.from_wire(packet), recursion_available=True)
        reply.flags |= dns.flags.TC
        return reply.to_wire()

    def answer(self, packet):
        query = dns.message.from_wire(packet)
        question = query.question[0]
        name = question.name.canonicalize()
        reply = dns.message.make_response(query, recursion_available=True)
        self.asked.append((name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)))
        found = self.records.get((name, question.rdtype))
        if name.to_text(omit_final_dot=True) in self.broken:
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif found:
            rrset = dns.rrset.RRset(question.name, dns.rdataclass.IN, question.rdtype)
            for rdata in found:
                rrset.add(rdata, TTL)
            reply.answer.append(rrset)
        elif not any(known.is_subdomain(name) for known, _ in self.records):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        if not reply.answer:
            reply.authority.append(self.soa(name))
        return reply.to_wire(max_size=65535)

    def close(self):
        for server in (self.udp, self.tcp):
            server.shutdown()
            server.server_close()
