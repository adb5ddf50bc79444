#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""datagrams: UDP of a chosen rate, size and TOS between hosts, and what became of it on the way.

  datagrams send ADDR PORT [--rate PPS] [--count N | --seconds S] [--size BYTES] [--tos BYTE]
            [--source ADDR] [--sport N]
      --size is that of the frame, without FCS. Without --rate as fast as the line takes them.
      Ends early upon SIGINT. Prints how many were sent.
  datagrams see PORT...
      Prints "ready", and upon SIGINT an object: for each port what came to it, where "delay_us" is
      from the sender's call to the receiver's interface, and "bits" a second's, of frames without
      FCS, from one second after the first of all ports until shortly before the last was sent.
"""
import argparse
import json
import os
import select
import signal
import socket
import statistics
import struct
import sys
import time

STAMP = struct.Struct("!QQ")    # number, time of day in ns
SO_TIMESTAMPNS = 35
HEADERS = {socket.AF_INET: 14 + 20 + 8, socket.AF_INET6: 14 + 40 + 8}


def send(args):
    family = socket.AF_INET6 if ":" in args.addr else socket.AF_INET
    s = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, args.tos)
    else:
        s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, args.tos)
    s.bind((args.source or ("::" if family == socket.AF_INET6 else "0.0.0.0"), args.sport))
    s.connect((args.addr, args.port))
    rest = bytes(max(0, args.size - HEADERS[family] - STAMP.size))
    stop = []
    signal.signal(signal.SIGINT, lambda *_: stop.append(1))
    start, sent = time.monotonic(), 0
    end = start + args.seconds if args.seconds else float("inf")
    while not stop and sent < (args.count or sys.maxsize) and time.monotonic() < end:
        if args.rate and (early := start + sent / args.rate - time.monotonic()) > 0:
            time.sleep(min(early, 0.1))
            continue
        try:
            s.send(STAMP.pack(sent, time.clock_gettime_ns(time.CLOCK_REALTIME)) + rest)
        except OSError:     # an ICMP error of before, or a full queue of the host's own
            time.sleep(0.0001)
            continue
        sent += 1
    print(sent)


def listener(family, port):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUFFORCE if hasattr(socket, "SO_RCVBUFFORCE")
                 else 33, 16 << 20)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
    else:
        s.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    s.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", port))
    s.setblocking(False)
    return s


class Seen:
    """What came to one port: a number, two times, a size and a TOS byte each."""

    def __init__(self):
        self.rows = []

    def add(self, s, data, ancillary):
        tos, at = 0, 0
        for level, kind, value in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                seconds, ns = struct.unpack("qq", value)
                at = seconds * 10**9 + ns
            else:       # one byte of IPv4, an integer of IPv6
                tos = value[0]
        if len(data) >= STAMP.size:
            number, then = STAMP.unpack(data[:STAMP.size])
            self.rows.append((number, then, at, len(data) + HEADERS[s.family], tos))

    def bits(self, since, until):
        if until <= since:
            return 0
        return round(sum(r[3] for r in self.rows if since <= r[2] < until) * 8e9 / (until - since))

    def report(self, since, until):
        numbers = [r[0] for r in self.rows]
        delays = [(r[2] - r[1]) / 1000 for r in self.rows]
        highest, reordered = -1, 0
        for n in numbers:
            reordered += n < highest
            highest = max(highest, n)
        tos = {}
        for r in self.rows:
            tos[r[4]] = tos.get(r[4], 0) + 1
        return {
            "packets": len(numbers), "bytes": sum(r[3] for r in self.rows), "bits": self.bits(since, until),
            "different": len(set(numbers)), "reordered": reordered, "tos": tos,
            "delay_us": {
                "mean": round(statistics.fmean(delays), 1), "sd": round(statistics.pstdev(delays), 1),
                "p50": round(statistics.median(delays), 1), "min": round(min(delays), 1),
                "max": round(max(delays), 1)} if delays else None,
        }


def see(args):
    wake, woken = os.pipe()
    signal.signal(signal.SIGINT, lambda *_: os.write(woken, b"."))
    at = {listener(f, port): port for port in args.ports for f in HEADERS}
    seen = {port: Seen() for port in args.ports}
    print("ready", flush=True)
    over = False
    while not over:
        readable = select.select([wake, *at], [], [])[0]
        over = wake in readable
        for s in at if over else readable:
            while True:
                try:
                    data, ancillary, _, _ = s.recvmsg(2048, 256)
                except BlockingIOError:
                    break
                seen[at[s]].add(s, data, ancillary)
    since = min((s.rows[0][2] for s in seen.values() if s.rows), default=0) + 10**9
    until = max((r[1] for s in seen.values() for r in s.rows), default=0) - 2 * 10**8
    print(json.dumps({port: s.report(since, until) for port, s in seen.items()}))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    what = p.add_subparsers(required=True)
    s = what.add_parser("send")
    s.set_defaults(run=send)
    s.add_argument("addr")
    s.add_argument("port", type=int)
    s.add_argument("--rate", type=float, default=0)
    s.add_argument("--count", type=int, default=0)
    s.add_argument("--seconds", type=float, default=0)
    s.add_argument("--size", type=int, default=200)
    s.add_argument("--tos", type=lambda t: int(t, 0), default=0)
    s.add_argument("--source", default="")
    s.add_argument("--sport", type=int, default=0)
    s = what.add_parser("see")
    s.set_defaults(run=see)
    s.add_argument("ports", type=int, nargs="+")
    args = p.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
