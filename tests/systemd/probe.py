#!/usr/bin/env python3
"""tests/systemd/probe.py: stands in the router's place and says what the unit's sandbox lets it do.

One line a question, "name: yes" or "name: no", or the error that was not expected. Then READY=1, and it
waits to be stopped.
"""
import ctypes
import errno
import grp
import mmap
import os
import signal
import socket
import subprocess

AF_XDP = 44
MFD_HUGETLB_2MB = 0x4 | 21 << 26
CLONE_NEWNS = 0x00020000
NETLINK_SOCK_DIAG = 4
RESERVED = {"router": "40000-40010", "router-blue": "50000-50010"}
RUN = os.environ["RUNTIME_DIRECTORY"]
NAME = os.path.basename(RUN)
PINS = "/sys/fs/bpf/router/" + NAME
CONFIG = "/etc/router/" + (NAME.removeprefix("router-")) + ".yaml"
REFUSALS = (errno.EPERM, errno.EACCES, errno.EROFS, errno.EAFNOSUPPORT)
libc = ctypes.CDLL(None, use_errno=True)


def call(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def bpftool(*words):
    done = subprocess.run(("bpftool",) + words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())


def write(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


def made_by_group():
    write(RUN + "/file", "x")
    if grp.getgrgid(os.stat(RUN + "/file").st_gid).gr_name != "router":
        raise PermissionError(errno.EPERM, "another group")


def load_and_pin():
    os.mkdir(PINS)
    bpftool("prog", "load", "/usr/sbin/pass.o", PINS + "/pass")


def attach():
    bpftool("net", "attach", "xdp", "pinned", PINS + "/pass", "dev", "host0")
    bpftool("net", "detach", "xdp", "dev", "host0")


def nftables():
    done = subprocess.run(("nft", "add table inet router; delete table inet router"), capture_output=True, text=True,
                          check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())


def read(path):
    with open(path, encoding="ascii", errors="replace") as f:
        f.read()


QUESTIONS = {
    "xdp-socket": lambda: socket.socket(AF_XDP, socket.SOCK_RAW).close(),
    "packet-socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close(),
    "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close(),
    "load-and-pin": load_and_pin,
    "attach": attach,
    "memfd": lambda: os.close(os.memfd_create("probe", MFD_HUGETLB_2MB)),
    "lock": lambda: call(libc.mlock(ctypes.create_string_buffer(64 << 20), 64 << 20)),
    "affinity": lambda: os.sched_setaffinity(0, {0}),
    "run-directory": lambda: write(RUN + "/state", "x"),
    "config": lambda: read(CONFIG),
    "ip-forward": lambda: read("/proc/sys/net/ipv4/ip_forward"),
    "group": made_by_group,
    "inet-socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM).close(),
    "sock-diag": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG).close(),
    "nftables": nftables,
    "reserve-ports": lambda: write("/proc/sys/net/ipv4/ip_local_reserved_ports", RESERVED[NAME]),
    "settings": lambda: write("/proc/sys/net/ipv4/ip_forward", "0"),
    "other-pins": lambda: os.mkdir("/sys/fs/bpf/elsewhere"),
    "etc": lambda: write("/etc/router/new", "x"),
    "mount": lambda: call(libc.mount(b"none", b"/mnt", b"tmpfs", 0, None)),
    "namespace": lambda: call(libc.unshare(CLONE_NEWNS)),
    "other-files": lambda: read("/run/private-of-nobody"),
    "exec-memory": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close(),
}


def answer(question):
    try:
        question()
    except OSError as e:
        return "no" if e.errno in REFUSALS else str(e)
    except RuntimeError as e:
        return str(e)
    return "yes"


def main():
    for name, question in QUESTIONS.items():
        print(f"{name}: {answer(question)}", flush=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
