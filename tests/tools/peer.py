#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""peer: the hosts behind and beyond a firewall, for tests.

  peer serve tcp:PORT[-PORT]... udp:PORT[-PORT]...
      Says to whoever comes whom it sees ("ADDR PORT"), then echoes what it gets. Answers come from
      the address that was asked. Prints "ready" first. Runs until it is killed.
  peer tcp|udp ADDR PORT [--from ADDR] [--sport PORT] [--wait SECONDS]
      Asks once and prints whom the server saw; or in one word why not, with status 1: refused,
      prohibited, unreachable, silent, reset, or busy (an address or port that is not free).
  peer punch ADDR PORT MINE THEIRS --sport PORT
      Learns from ADDR how it is seen and writes it to the file MINE; when THEIRS is there, both send
      to each other. Prints who came through.
  peer hold tcp|udp ADDR PORT[-PORT] --count N [--from ADDR]
      N conversations that stay. Prints "ready N" when all have begun. Each line of stdin makes each
      of them say something and wait for the echo: prints how many got theirs and how many were
      answered as somebody else than at first ("1000 0").
"""
import argparse
import errno
import os
import resource
import selectors
import socket
import sys
import time

IP_PKTINFO, IPV6_RECVPKTINFO, IPV6_PKTINFO = 8, 49, 50
WORDS = {errno.ECONNREFUSED: "refused", errno.EACCES: "prohibited", errno.EHOSTUNREACH: "unreachable",
         errno.ENETUNREACH: "unreachable", errno.ECONNRESET: "reset", errno.EPIPE: "reset",
         errno.EADDRINUSE: "busy", errno.EADDRNOTAVAIL: "busy", errno.ETIMEDOUT: "silent"}


def word(e):
    if isinstance(e, (socket.timeout, BlockingIOError)):
        return "silent"
    return WORDS.get(e.errno, os.strerror(e.errno) if e.errno else str(e))


def ports(text):
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def family(addr):
    return socket.AF_INET6 if ":" in addr else socket.AF_INET


def many_files():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


# ---- the server

def seen(peer):
    return ("%s %d\n" % (peer[0].split("%")[0], peer[1])).encode()


def listen(fam, kind, port):
    s = socket.socket(fam, kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if fam == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if kind == socket.SOCK_DGRAM:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        if fam == socket.AF_INET6:
            s.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
        else:
            s.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    s.bind(("::" if fam == socket.AF_INET6 else "0.0.0.0", port))
    s.setblocking(False)
    if kind == socket.SOCK_STREAM:
        s.listen(4096)
    return s


def accept(sel, s):
    try:
        while True:
            c, peer = s.accept()
            c.setblocking(False)
            c.send(seen(peer))
            sel.register(c, selectors.EVENT_READ, talk)
    except OSError:
        pass


def talk(sel, c):
    try:
        data = c.recv(65536)
        if data:
            c.send(data)
            return
    except OSError:
        pass
    sel.unregister(c)
    c.close()


def datagram(_, s):
    try:
        while True:
            data, info, _, peer = s.recvmsg(65536, 256)
            level, kind, raw = info[0]
            if kind == IP_PKTINFO:      # index, local address, destination
                raw = bytes(4) + raw[8:12] + bytes(4)
            s.sendmsg([seen(peer) + data], [(level, kind, raw)], 0, peer)
    except OSError:
        pass


def serve(args):
    many_files()
    sel = selectors.DefaultSelector()
    for what in args.what:
        kind, _, which = what.partition(":")
        for port in ports(which):
            for fam in socket.AF_INET, socket.AF_INET6:
                if kind == "tcp":
                    sel.register(listen(fam, socket.SOCK_STREAM, port), selectors.EVENT_READ, accept)
                else:
                    sel.register(listen(fam, socket.SOCK_DGRAM, port), selectors.EVENT_READ, datagram)
    print("ready", flush=True)
    while True:
        for key, _ in sel.select():
            key.data(sel, key.fileobj)


# ---- one question

def dial(kind, args, port):
    s = socket.socket(family(args.addr), socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    if args.sport:      # which a server may have; ports that Linux chooses must not be shared
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.settimeout(args.wait)
    if args.source or args.sport:
        s.bind((args.source or ("::" if family(args.addr) == socket.AF_INET6 else "0.0.0.0"),
                args.sport))
    s.connect((args.addr, port))
    return s


def ask(args):
    try:
        s = dial(args.verb, args, int(args.port))
        if args.verb == "udp":
            s.send(b"hello\n")
        print(s.recv(65536).decode().split("\n")[0])
    except OSError as e:
        print(word(e))
        sys.exit(1)


# ---- two that are both behind something

def punch(args):
    s = dial("udp", args, int(args.port))
    s.send(b"hello\n")
    mine = s.recv(65536).split(b"\n")[0].decode()
    with open(args.mine + ".new", "w") as f:
        f.write(mine)
    os.rename(args.mine + ".new", args.mine)
    while not os.path.exists(args.theirs):
        time.sleep(0.02)
    with open(args.theirs) as f:
        addr, port = f.read().split()
    own = s.getsockname()
    s.close()
    s = socket.socket(family(addr), socket.SOCK_DGRAM)
    s.bind(own)
    s.settimeout(0.1)
    came = None
    for _ in range(10):
        s.sendto(b"it is me\n", (addr, int(port)))
        try:
            _, came = s.recvfrom(65536)
        except OSError:
            pass
    print("%s %d" % came[:2] if came else "silent")


# ---- many that stay

def round_trip(socks, first, wait):
    """How many echoes came, and how many said another address than the first time."""
    sel = selectors.DefaultSelector()
    good = other = 0
    for s in socks:
        try:
            s.send(b"again\n")
            sel.register(s, selectors.EVENT_READ)
        except OSError:
            pass
    until = time.monotonic() + wait
    while sel.get_map() and time.monotonic() < until:
        for key, _ in sel.select(0.1):
            s = key.fileobj
            sel.unregister(s)
            try:
                data = s.recv(65536)
            except OSError:
                continue
            if not data:
                continue
            good += 1
            if s.type == socket.SOCK_DGRAM and data.split(b"\n")[0] != first[s]:
                other += 1
    sel.close()
    return good, other


def hold(args):
    many_files()
    socks, first, which = [], {}, ports(args.port)
    for n in range(args.count):
        try:
            s = dial(args.kind, args, which[n % len(which)])
            if args.kind == "udp":
                s.send(b"hello\n")
            first[s] = s.recv(65536).split(b"\n")[0]
            socks.append(s)
        except OSError as e:
            print("not all:", word(e), file=sys.stderr)
    print("ready", len(socks), flush=True)
    for _ in sys.stdin:
        print(*round_trip(socks, first, args.wait), flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    verbs = p.add_subparsers(dest="verb", required=True)
    v = verbs.add_parser("serve")
    v.add_argument("what", nargs="+")
    v.set_defaults(run=serve)
    for name in "tcp", "udp", "punch", "hold":
        v = verbs.add_parser(name)
        if name == "hold":
            v.add_argument("kind", choices=("tcp", "udp"))
            v.add_argument("--count", type=int, default=1)
        v.add_argument("addr")
        v.add_argument("port")
        if name == "punch":
            v.add_argument("mine")
            v.add_argument("theirs")
        v.add_argument("--from", dest="source")
        v.add_argument("--sport", type=int, default=0)
        v.add_argument("--wait", type=float, default=2 if name == "hold" else 1)
        v.set_defaults(run={"hold": hold, "punch": punch}.get(name, ask))
    args = p.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
