#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""hostile: clients of the control socket that mean no good, one kind after the other.

  hostile DIR PID [KIND...] [--seconds S]

DIR has the router's sockets, PID is its. Each kind does its worst for S seconds; meanwhile an operator asks
for something that only admins may, time and again. For each kind a line of JSON: how long the operator waited
at most (ms), how often he was not answered, how many descriptors the router had more when all was over, how
many KiB more it was at its worst and in the end, and what the clients saw that they should not have.
"""
import argparse
import errno
import json
import os
import random
import resource
import socket
import sys
import threading
import time

READER, ADMIN = "stats.sock", "router.sock"
DUMP = b'{"words":["show","conntrack"]}\n'


class Attack:
    """What all kinds need: connections that are all closed in the end."""

    def __init__(self, run_dir, seconds):
        self.run_dir, self.until, self.socks, self.wrong = run_dir, time.monotonic() + seconds, [], []

    def dial(self, name=READER, wait=5):
        """None: nobody accepts, as the backlog is full."""
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(wait)
        try:
            s.connect(os.path.join(self.run_dir, name))
        except (BlockingIOError, TimeoutError):
            s.close()
            return None
        self.socks.append(s)
        return s

    def send(self, s, data):
        """All of it, if the router wants it. False: it closed the connection."""
        try:
            s.sendall(data)
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            return False
        return True

    def lines(self, s):
        """What it answers, line by line, until it closes or is silent."""
        data = b""
        while True:
            try:
                more = s.recv(65536)
            except (ConnectionResetError, TimeoutError):
                more = b""
            if not more:
                return
            *whole, data = (data + more).split(b"\n")
            yield from (json.loads(line) for line in whole)

    def stay(self):
        time.sleep(max(0, self.until - time.monotonic()))

    def over(self):
        return time.monotonic() >= self.until

    def close(self):
        for s in self.socks:
            s.close()


def unread(a):
    """Dumps that nobody reads."""
    for i in range(400):
        s = a.dial(READER if i % 16 else ADMIN)
        if s:
            a.send(s, DUMP)
    a.stay()


def drip(a):
    """Dumps that are read byte by byte."""
    for _ in range(100):
        s = a.dial()
        if s:
            a.send(s, DUMP)
    while not a.over():
        for s in a.socks:
            s.recv(1)
        time.sleep(0.2)


def half(a):
    """Requests that never end."""
    for i in range(1500):
        s = a.dial(READER if i % 2 else ADMIN)
        if s:
            a.send(s, b'{"words":["show",')
    a.stay()


def endless(a):
    """Lines as long as may be, and longer."""
    for i in range(1000):
        s = a.dial(wait=1)
        if s:
            a.send(s, b" " * (65535 if i % 2 else 100000))
        if a.over():
            break
    a.stay()


def crowd(a):
    """Ten thousand connections, of which some ask something."""
    for i in range(10000):
        s = a.dial(READER if i % 8 else ADMIN, 1)
        if s and i % 16 == 5:
            a.send(s, b'{"words":["monitor","conntrack"]}\n')
    a.stay()


def garbage(a):
    """Lines that are no requests: each is refused, and the next one read."""
    bad = [b"[" * 60000, b'{"words":' * 5000, b"\x00" * 1000, b'{"words":["show\\u0000"]}', b"\xff\xfe\xfd",
           b'{"words":["\xc3\x28"]}', b'{"words":' + json.dumps(["x"] * 65).encode() + b"}", b'{"words":{}}',
           b'{"complete":' + json.dumps(["s" * 60000]).encode() + b',"words":3}', b'{"complete":[[[]]]}',
           b'{"words":' + json.dumps(["show", "conntrack", "src", "9" * 60000]).encode() + b"}",
           b'{"words":' + json.dumps(["explain", "in", "lan0", "(" * 60000]).encode() + b"}",
           b'{"words":["show"],"words":["show"]}', b"nan", b'"', b"{}", b""]
    bad += [bytes(random.choices(range(256), k=200)).replace(b"\n", b"") for _ in range(50)]
    while not a.over():
        s = a.dial()
        if not s:
            continue
        for line in bad:
            if not a.send(s, line + b"\n"):
                a.wrong.append("closed before %r" % line[:40])
                break
            for answer in a.lines(s):
                if "end" in answer:
                    if answer["end"] == 0 and b"complete" not in line:
                        a.wrong.append("took %r" % line[:40])
                    break
            else:
                a.wrong.append("no answer to %r" % line[:40])
                break
        a.socks.remove(s)
        s.close()


def cut(a):
    """Dumps whose reader leaves in the middle, or at once."""
    while not a.over():
        s = a.dial()
        if not s:
            continue
        a.send(s, DUMP)
        try:
            s.recv(random.choice((1, 5000, 100000)))
            if random.random() < 0.3:
                s.shutdown(socket.SHUT_RD)
                time.sleep(0.001)
        except (ConnectionResetError, TimeoutError):
            pass
        a.socks.remove(s)
        s.close()


def monitors(a):
    """Monitors that nobody reads, while flows end and begin."""
    for i in range(600):
        s = a.dial(READER if i % 16 else ADMIN)
        if s:
            a.send(s, b'{"words":["monitor","conntrack"]}\n')
    while not a.over():
        s = a.dial(ADMIN)
        if s:
            a.send(s, b'{"words":["flush","conntrack"]}\n')
        time.sleep(0.3)


def flood(a):
    """As many requests at once as go into the socket, and all answers read."""
    requests = 3000
    s = a.dial()
    writer = threading.Thread(target=a.send, args=(s, b'{"words":["show","memory"]}\n' * requests))
    writer.start()
    ends = 0
    for answer in a.lines(s):
        ends += "end" in answer
        if ends == requests:
            break
    writer.join()
    if ends != requests:
        a.wrong.append("%d answers to %d requests" % (ends, requests))


KINDS = {f.__name__: f for f in (unread, drip, half, endless, crowd, garbage, cut, monitors, flood)}


class Watch(threading.Thread):
    """The operator, and what the router is like meanwhile."""

    def __init__(self, run_dir, pid):
        super().__init__()
        self.path, self.pid, self.done = os.path.join(run_dir, ADMIN), pid, threading.Event()
        self.worst, self.unanswered, self.most = 0, 0, 0

    def fds(self):
        return len(os.listdir("/proc/%d/fd" % self.pid))

    def rss(self):
        with open("/proc/%d/statm" % self.pid, encoding="ascii") as f:
            return int(f.read().split()[1]) * resource.getpagesize() // 1024

    def ask(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(self.path)
            s.sendall(b'{"words":["reset","workers"]}\n')
            data = b""
            while b'{"end":' not in data:
                more = s.recv(4096)
                if not more:
                    break
                data += more
            return b'{"end":0}' in data

    def run(self):
        while not self.done.wait(0.05):
            start = time.monotonic()
            try:
                self.unanswered += not self.ask()
            except OSError as e:
                self.unanswered += 1
                print("operator: %s" % (errno.errorcode.get(e.errno) or e), file=sys.stderr)
            self.worst = max(self.worst, time.monotonic() - start)
            self.most = max(self.most, self.rss())


def settle(watch, fds):
    """How many descriptors it has more, at most 3 s later."""
    for _ in range(60):
        if watch.fds() <= fds:
            break
        time.sleep(0.05)
    return watch.fds() - fds


def attack(kind, args):
    watch = Watch(args.dir, args.pid)
    fds, rss = watch.fds(), watch.rss()
    a = Attack(args.dir, args.seconds)
    watch.start()
    try:
        KINDS[kind](a)
    finally:
        a.close()
        watch.done.set()
        watch.join()
    more = settle(watch, fds)
    return {"kind": kind, "operator_ms": round(watch.worst * 1000), "unanswered": watch.unanswered, "fds": more,
            "most_kib": watch.most - rss, "left_kib": watch.rss() - rss, "wrong": a.wrong[:3]}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("dir")
    p.add_argument("pid", type=int)
    p.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    p.add_argument("--seconds", type=float, default=1.5)
    args = p.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (12000, max(12000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    for kind in args.kinds or KINDS:
        print(json.dumps(attack(kind, args)), flush=True)


if __name__ == "__main__":
    main()
