#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""rows6: one IPv6 packet a row through a router, and what became of it.

  rows6 DEV ROUTER-MAC NETNS DEV...
      Sends each row of ROWS by DEV to the router's MAC address, and compares what it met with what it
      should: GOES, to one of the devices in NETNS, one hop further and otherwise unchanged; DIES; or
      "TYPE/CODE WORD" of the ICMPv6 error that came back. Prints a line of TAP for each.

A row is known again by the flow label of its packet, which goes on unchanged and is quoted by
errors. Sources are all different, so that no limit of errors to one destination bites.
"""
import ctypes
import select
import socket
import struct
import sys
import time

FIRST_LABEL = 256  # packets of the hosts themselves have none
UDP, FRAGMENT, ROUTING, OPTIONS, HOP = 17, 44, 43, 60, 0
FAR = "2001:db8:e0::1"
ETH_P_IPV6 = 0x86DD


def a6(text):
    return socket.inet_pton(socket.AF_INET6, text)


class Packet:
    """UDP in the extension headers of `chain`, each (type, bytes without the next header)."""

    def __init__(self, dst=FAR, src=None, hops=64, size=20, chain=(), plen=None, trail=b"", last=UDP):
        self.dst, self.src, self.hops, self.plen, self.trail = dst, src, hops, plen, trail
        data = bytes(i * 7 & 255 for i in range(size - 8))
        self.first, self.payload = last, struct.pack("!4H", 1000, 2000, size, 0x1234) + data
        for kind, body in reversed(chain):
            self.payload = bytes([self.first]) + body + self.payload
            self.first = kind

    def bytes(self, number):
        src = self.src or "2001:db8:a::%x" % (number + 3)
        plen = len(self.payload) if self.plen is None else self.plen
        head = struct.pack("!IHBB", 0x60A << 20 | number + FIRST_LABEL, plen, self.first, self.hops)
        return head + a6(src) + a6(self.dst) + self.payload


def hop(*options, units=0):
    """The body of a header of options, filled with zeros to its units of 8 bytes beyond the first."""
    body = bytes([units]) + b"".join(bytes(o) for o in options)
    return (HOP, body + bytes(units * 8 + 7 - len(body)))


def fragment(offset, more, ident=7):
    return (FRAGMENT, struct.pack("!BHI", 0, offset << 3 | more, ident))


GOES, DIES = "forwarded", "nothing"
PAD4 = (1, 4, 0, 0, 0, 0)
ROWS = [
    ("plain", GOES, Packet()),
    ("hop limit 0", "3/0 0", Packet(hops=0)),
    ("hop limit 1", "3/0 0", Packet(hops=1)),
    ("hop limit 2", GOES, Packet(hops=2)),
    ("bytes behind the packet", GOES, Packet(trail=bytes(30))),
    ("payload longer than the frame", DIES, Packet(plen=300)),
    ("payload length 0", GOES, Packet(plen=0)),
    ("1400 bytes, the link's MTU", GOES, Packet(size=1360)),
    ("1401 bytes", "2/0 1400", Packet(size=1361)),
    ("1500 bytes", "2/0 1400", Packet(size=1460)),
    ("1280 bytes on a link of 1280", GOES, Packet(dst="2001:db8:e3::1", size=1240)),
    ("1281 bytes on a link of 1280", "2/0 1280", Packet(dst="2001:db8:e3::1", size=1241)),
    ("1280 bytes on a route of 1000", GOES, Packet(dst="2001:db8:e1::1", size=1240)),
    ("1281 bytes on a route of 1000", "2/0 1280", Packet(dst="2001:db8:e1::1", size=1241)),
    ("from ::1", DIES, Packet(src="::1")),
    ("from ::", DIES, Packet(src="::")),
    ("from multicast", DIES, Packet(src="ff0e::1")),
    ("from a mapped address", DIES, Packet(src="::ffff:10.0.1.2")),
    ("from link-local", "1/2 0", Packet(src="fe80::a:2")),
    ("to link-local of the other link", "1/2 0", Packet(dst="fe80::b:2")),
    ("from site-local", GOES, Packet(src="fec0::2")),
    ("to site-local", GOES, Packet(dst="fec0::2:2")),
    ("to ::1", DIES, Packet(dst="::1")),
    ("no route", "1/0 0", Packet(dst="2001:db8:f0::1")),
    ("prohibit", "1/1 0", Packet(dst="2001:db8:f1::1")),
    ("unreachable", "1/6 0", Packet(dst="2001:db8:f2::1")),
    ("blackhole", DIES, Packet(dst="2001:db8:f3::1")),
    ("throw", "1/0 0", Packet(dst="2001:db8:f4::1")),
    ("no neighbour", "1/3 0", Packet(dst="2001:db8:2::77")),
    ("pad", GOES, Packet(chain=[hop(PAD4)])),
    ("pad that says something", DIES, Packet(chain=[hop((1, 4, 0, 0, 1, 0))])),
    ("too much padding", DIES, Packet(chain=[hop((0,) * 8, (0x1E, 4), units=1)])),
    ("router alert", GOES, Packet(chain=[hop((5, 2, 0, 0, 1, 0))])),
    ("router alert of 3 bytes", DIES, Packet(chain=[hop((5, 3, 0, 0, 0, 0))])),
    ("unknown 00", GOES, Packet(chain=[hop((0x1E, 4))])),
    ("unknown 01", DIES, Packet(chain=[hop((0x5E, 4))])),
    ("unknown 10", "4/2 42", Packet(chain=[hop((0x9E, 4))])),
    ("unknown 11", "4/2 44", Packet(chain=[hop((0x1E, 0), (0xDE, 2))])),
    ("unknown beyond its header", DIES, Packet(chain=[hop((0x9E, 5))])),
    ("eight options", GOES, Packet(chain=[hop(*[(0x1E, 0)] * 8, (1, 4), units=2)])),
    ("nine options", DIES, Packet(chain=[hop(*[(0x1E, 0)] * 9, (1, 2), units=2)])),
    ("jumbo beside a length", "4/0 42", Packet(chain=[hop((0xC2, 4, 0, 1, 0, 0))])),
    ("jumbo of 100 bytes", "4/0 44", Packet(chain=[hop((0xC2, 4, 0, 0, 0, 100))])),
    ("jumbo without a length", DIES, Packet(chain=[hop((0xC2, 4, 0, 1, 0, 0))], plen=0)),
    ("hop-by-hop without a length", DIES, Packet(chain=[hop(PAD4)], plen=0)),
    ("hop-by-hop second", DIES, Packet(chain=[(OPTIONS, bytes([0, *PAD4])), hop(PAD4)])),
    ("hop-by-hop beyond the packet", DIES, Packet(chain=[(HOP, bytes([9, *PAD4]))])),
    ("destination options, unknown 10", GOES, Packet(chain=[(OPTIONS, bytes([0, 0x9E, 4, 0, 0, 0, 0]))])),
    ("destination options beyond the packet", DIES, Packet(chain=[(OPTIONS, bytes([9, *PAD4]))])),
    ("routing header 0, done", GOES, Packet(chain=[(ROUTING, bytes([0, 0, 0, 0, 0, 0, 0]))])),
    ("routing header 0", DIES, Packet(chain=[(ROUTING, bytes([2, 0, 1, 0, 0, 0, 0]) + a6(FAR))])),
    ("routing header 4", GOES, Packet(chain=[(ROUTING, bytes([2, 4, 1, 0, 0, 0, 0]) + a6(FAR))])),
    ("atomic fragment", GOES, Packet(chain=[fragment(0, 0)])),
    ("first fragment", GOES, Packet(chain=[fragment(0, 1)], size=24)),
    ("later fragment", GOES, Packet(chain=[fragment(3, 0)])),
    ("first fragment without its chain", DIES, Packet(chain=[fragment(0, 1)], last=OPTIONS)),
    ("nine headers", DIES, Packet(chain=[(OPTIONS, bytes([0, *PAD4]))] * 9)),
    ("eight headers", GOES, Packet(chain=[(OPTIONS, bytes([0, *PAD4]))] * 8)),
    ("protocol 253", GOES, Packet(last=253)),
    ("no next header", GOES, Packet(last=59)),
    ("plain again", GOES, Packet()),
]


def listen(dev):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IPV6))
    s.bind((dev, ETH_P_IPV6))
    return s


def listen_in(netns, dev):
    """A socket of another namespace, made while we are there."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net") as own, open("/run/netns/" + netns) as there:
        if libc.setns(there.fileno(), 0):
            raise OSError(ctypes.get_errno(), netns)
        s = listen(dev)
        if libc.setns(own.fileno(), 0):
            raise OSError(ctypes.get_errno(), "back again")
    return s


def number_of(ip):
    return (struct.unpack("!I", ip[:4])[0] & 0xFFFFF) - FIRST_LABEL


def forwarded(was):
    ip = bytearray(was)
    ip[7] -= 1
    return bytes(ip[: 40 + struct.unpack("!H", ip[4:6])[0]])


def came(ip, met, sent):
    """A packet at the far end."""
    number = number_of(ip)
    if 0 <= number < len(sent):
        want = forwarded(sent[number])
        padded = want + bytes(len(ip) - len(want))  # a short frame
        met[number] = GOES if ip == padded else "forwarded, changed"


def told(ip, met, sent):
    """An error that came back: it quotes as much of the packet as 1280 bytes hold."""
    if ip[6] != socket.IPPROTO_ICMPV6 or ip[40] > 4:
        return
    number = number_of(ip[48:])
    if 0 <= number < len(sent):
        whole = sent[number][: 40 + struct.unpack("!H", sent[number][4:6])[0]]
        right = ip[48:] == whole[: 1280 - 48]
        word = struct.unpack("!I", ip[44:48])[0]
        met[number] = "%d/%d %d%s" % (ip[40], ip[41], word, "" if right else ", misquoted")


def receive(sockets, seconds, met, sent):
    until = time.monotonic() + seconds
    while len(met) < len(ROWS) and time.monotonic() < until:
        for s in select.select(sockets, [], [], 0.1)[0]:
            frame, address = s.recvfrom(65536)
            if address[2] != socket.PACKET_OUTGOING:
                (told if s is sockets[0] else came)(frame[14:], met, sent)


def main(dev, mac, netns, peers):
    sockets = [listen(dev), *[listen_in(netns, d) for d in peers]]
    ether = bytes.fromhex(mac.replace(":", "")) + bytes.fromhex("02000000000186dd")
    sent, met, bad = [], {}, 0
    for _, _, packet in ROWS:
        ip = packet.bytes(len(sent))
        sent.append(ip)
        sockets[0].send(ether + ip + packet.trail)
        receive(sockets, 0.003, met, sent)
    receive(sockets, 4, met, sent)
    for number, (name, want, _) in enumerate(ROWS):
        got = met.get(number, DIES)
        bad += got != want
        print("ok - " + name if got == want else "not ok - %s: %s, not %s" % (name, got, want))
    sys.exit(bad > 0)


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
