#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""books: what became of every packet and of every frame, between two moments.

  books take FILE [--cable PORT:DEV:NS:PEER]... --ctl COMMAND...
      Writes down what the router counts (COMMAND -j show ...) and what the cables count: DEV is
      the router's end, PEER the other one, in the network namespace NS; the router's own is --ns.
  books check [BEFORE] AFTER [--loose]
      Balances them, and prints what does not add up; status 1 then. Without BEFORE since the start.

Always: received + generated == sent + dropped + held, the drops are the sum of their reasons, and no
frame is missing. With BEFORE, of each port: no more was received than its peer has sent. Unless
--loose (a port was down or made again, or the router was another one), exactly:
  peer's sent == verdicts of XDP; verdicts to the socket == received + what the kernel says it lost;
  what left the device == what the router sent + what Linux itself sent (an nftables counter), but for
  what the device dropped: of ours that is counted as tx-device, the rest was Linux's.
"""
import argparse
import json
import subprocess
import sys

SHOWN = {"status": ["status"], "drops": ["drops"], "memory": ["memory"],
         "interfaces": ["interfaces", "-s"], "xdp": ["xdp", "-s"]}
TRIES = 10
TO_SOCKET = ("to-socket", "to-socket-nat", "to-socket-whole")
FRAMES = ("free", "held", "posted", "sent", "quarantined", "missing")


def output(command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def in_ns(ns, command):
    return output(["nsenter", f"--net=/run/netns/{ns}", "--", *command])


def links(ns):
    rows = json.loads(in_ns(ns, ["ip", "-j", "-s", "link"]))
    return {r["ifname"]: {"ifindex": r["ifindex"], "rx": r["stats64"]["rx"]["packets"],
                          "tx": r["stats64"]["tx"]["packets"],
                          "dropped": r["stats64"]["tx"]["dropped"]} for r in rows}


def own(ns, dev):
    """Packets that Linux itself sent out of a device: AF_XDP does not pass by the egress hook."""
    rules = json.loads(in_ns(ns, ["nft", "-j", "list", "table", "netdev", "own_" + dev]))
    return sum(e["counter"]["packets"] for o in rules["nftables"] if "rule" in o
               for e in o["rule"]["expr"] if "counter" in e)


def cables(args):
    ours, seen = links(args.ns), {}
    for port, dev, ns, peer in (c.split(":") for c in args.cable):
        seen[port] = {"dev": ours[dev], "peer": links(ns)[peer], "own": own(args.ns, dev)}
    return seen


def take(args):
    """While nothing moves: neighbours and multicast listeners speak up at any time."""
    for _ in range(TRIES):
        before = cables(args)
        seen = {name: json.loads(output([*args.ctl, "-j", "show", *words])) for name, words in SHOWN.items()}
        seen["cables"] = cables(args)
        if seen["cables"] == before and not seen["memory"]["sent"]:
            break
    else:
        sys.exit(f"it does not come to rest: {seen['memory']['sent']} frames are being sent")
    with open(args.file, "w", encoding="utf-8") as f:
        json.dump(seen, f)


class Books:
    def __init__(self, path):
        with open(path, encoding="utf-8") as f:
            self.__dict__ |= json.load(f)
        self.reasons = sum(r["packets"] for r in self.drops if r["stage"] not in ("kernel", "event"))
        self.kernel = sum(r["packets"] for r in self.drops if r["stage"] == "kernel")
        self.refused = sum(r["packets"] for r in self.drops if r["reason"] == "tx-device")
        self.interfaces = {r["name"]: r for r in self.interfaces}
        self.xdp = {r["name"]: r["verdicts"] for r in self.xdp}


def inside(b):
    """What must always hold."""
    s, m = b.status, b.memory
    if s["rx_packets"] + s["generated"] != s["tx_packets"] + s["dropped"] + s["held"]:
        yield (f"received {s['rx_packets']} + generated {s['generated']} != sent {s['tx_packets']}"
               f" + dropped {s['dropped']} + held {s['held']}")
    if s["dropped"] != b.reasons:
        yield f"dropped {s['dropped']} != {b.reasons}, the sum of reasons"
    if m["missing"] != 0 or m["frames"] != sum(m[k] for k in FRAMES):
        yield "frames: " + ", ".join(f"{k} {m[k]}" for k in ("frames", *FRAMES))


def loose(before, after):
    if before.status["pid"] != after.status["pid"]:
        return
    for port, now in after.cables.items():
        was = before.cables[port]
        if was["peer"]["ifindex"] != now["peer"]["ifindex"]:
            continue
        sent = now["peer"]["tx"] - was["peer"]["tx"]
        received = after.interfaces[port]["rx_packets"] - before.interfaces[port]["rx_packets"]
        if received > sent:
            yield f"{port}: received {received}, but the peer sent {sent}"


def strict(before, after):
    lost_all = refused = 0
    for port, now in after.cables.items():
        was = before.cables[port]
        rows = (before.interfaces[port], after.interfaces[port])
        received, sent = (rows[1][k] - rows[0][k] for k in ("rx_packets", "tx_packets"))
        verdicts = {k: n - before.xdp[port][k] for k, n in after.xdp[port].items()}
        peer = now["peer"]["tx"] - was["peer"]["tx"]
        wire, dropped = (now["dev"][k] - was["dev"][k] for k in ("tx", "dropped"))
        linux = now["own"] - was["own"]
        if peer != sum(verdicts.values()):
            yield f"{port}: the peer sent {peer}, XDP saw {sum(verdicts.values())}: {verdicts}"
        lost = sum(verdicts[k] for k in TO_SOCKET) - received
        lost_all += lost
        if lost < 0 or (lost > 0 and after.kernel == before.kernel):
            yield f"{port}: {lost} packets between XDP and the router"
        if not 0 <= sent + linux - wire <= dropped:
            yield f"{port}: {wire} packets left and {dropped} did not, {sent} of ours and {linux} of Linux"
        refused += dropped - (sent + linux - wire)
    if refused != after.refused - before.refused:
        yield f"devices dropped {refused} of ours, and {after.refused - before.refused} are counted"
    if lost_all != after.kernel - before.kernel:
        yield f"{lost_all} lost before the router, {after.kernel - before.kernel} counted as such"


def check(args):
    books = [Books(path) for path in args.books]
    wrong = list(inside(books[-1]))
    if len(books) == 2:
        wrong += loose(*books) if args.loose else strict(*books)
    print("\n".join(wrong) if wrong else "all adds up")
    sys.exit(bool(wrong))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    what = p.add_subparsers(required=True)
    t = what.add_parser("take")
    t.set_defaults(run=take)
    t.add_argument("file")
    t.add_argument("--ctl", nargs=argparse.REMAINDER, required=True)
    t.add_argument("--ns", default="r")
    t.add_argument("--cable", action="append", default=[])
    c = what.add_parser("check")
    c.set_defaults(run=check)
    c.add_argument("books", nargs="+")
    c.add_argument("--loose", action="store_true")
    args = p.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
