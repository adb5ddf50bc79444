#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""keeper.py [-d MS] [-l FILE] [-x DIR] COMMAND...: a service manager as small as can be.

Runs COMMAND, keeps the descriptors that it puts into the store (sd_pid_notify_with_fds(3): FDSTORE=1,
FDSTOREREMOVE=1, FDNAME=), and starts it again with them (sd_listen_fds(3)) whenever a signal kills it,
or it exits with status 75; after MS milliseconds. Ends with COMMAND otherwise, and with SIGTERM, which it
passes on. FILE gets a line for each start: the number of descriptors, and "ready" with the milliseconds
that passed since COMMAND died.

What lies in DIR happens once, while nobody runs: the script `run` is run, and each other file takes the
place of the descriptor of its name, or takes that away if it is empty.
"""
import argparse
import array
import ctypes
import os
import selectors
import signal
import socket
import subprocess
import sys
import time

EXIT_RESTART = 75
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)
MSG_CMSG_CLOEXEC = 0x40000000   # a process gets by number what it is given, and nothing else


class Store:
    """Descriptors in the order they came, with their names."""

    def __init__(self):
        self.kept = []

    def put(self, name, fds):
        self.kept += [(name, fd) for fd in fds]

    def drop(self, name):
        for _, fd in [k for k in self.kept if k[0] == name]:
            os.close(fd)
        self.kept = [k for k in self.kept if k[0] != name]


def heard(sock, store):
    """One message of the service; its fields."""
    text, control, _, _ = sock.recvmsg(4096, socket.CMSG_SPACE(4 * 64), MSG_CMSG_CLOEXEC)
    fds = array.array("i")
    for level, kind, data in control:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    fields = dict(line.split("=", 1) for line in text.decode().splitlines() if "=" in line)
    if fields.get("FDSTORE") == "1":
        store.put(fields.get("FDNAME", "stored"), fds)
    elif fields.get("FDSTOREREMOVE") == "1":
        store.drop(fields["FDNAME"])
    else:
        for fd in fds:
            os.close(fd)
    return fields


def meddle(store, where):
    """What a test wants to have happened between two processes."""
    for name in sorted(os.listdir(where), key=lambda n: n != "run"):
        path = os.path.join(where, name)
        if name == "run":
            subprocess.run(["bash", path], check=False)
        else:
            store.drop(name)
            with open(path, "rb") as f:
                text = f.read()
            if text:
                fd = os.memfd_create(name)
                os.write(fd, text)
                store.put(name, [fd])
        os.unlink(path)


def start(command, store, notify):
    """Forked by hand: LISTEN_PID is the child's own number."""
    pid = os.fork()
    if pid:
        return pid
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # no keeper, no service
    env = dict(os.environ, NOTIFY_SOCKET=notify)
    high = [os.dup2(fd, 1000 + i, inheritable=False) for i, (_, fd) in enumerate(store.kept)]
    for i, fd in enumerate(high):
        os.dup2(fd, 3 + i, inheritable=True)
    if high:
        env["LISTEN_FDS"] = str(len(high))
        env["LISTEN_FDNAMES"] = ":".join(name for name, _ in store.kept)
        env["LISTEN_PID"] = str(os.getpid())
    os.execvpe(command[0], command, env)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("-d", type=float, default=0, metavar="MS")
    p.add_argument("-l", metavar="FILE")
    p.add_argument("-x", metavar="DIR")
    p.add_argument("command", nargs=argparse.REMAINDER)
    a = p.parse_args()
    log = open(a.l, "w", buffering=1) if a.l else None
    store, sock = Store(), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    name = "@keeper-%d" % os.getpid()
    sock.bind("\0" + name[1:])
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake)
    child = {"pid": 0}
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child["pid"], signal.SIGTERM))
    sel = selectors.DefaultSelector()
    sel.register(sock, selectors.EVENT_READ)
    sel.register(woken, selectors.EVENT_READ)
    died, child["pid"] = None, start(a.command, store, name)
    while True:
        for key, _ in sel.select():
            if key.fileobj is sock:
                fields = heard(sock, store)
                if log and fields.get("READY") == "1":
                    gap = (time.monotonic() - died) * 1000 if died else 0
                    log.write("ready %.1f descriptors %d\n" % (gap, len(store.kept)))
                    died = None
                continue
            os.read(woken, 128)
            done, status = os.waitpid(child["pid"], os.WNOHANG)
            if done != child["pid"]:
                continue
            code = os.waitstatus_to_exitcode(status)
            if code >= 0 and code != EXIT_RESTART:
                sys.exit(code)
            died = time.monotonic()
            drain(sock, store)
            time.sleep(a.d / 1000)
            if a.x:
                meddle(store, a.x)
            child["pid"] = start(a.command, store, name)


def drain(sock, store):
    sock.setblocking(False)
    try:
        while True:
            heard(sock, store)
    except BlockingIOError:
        pass
    sock.setblocking(True)


if __name__ == "__main__":
    main()
