#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""wire: whole frames in and out of a device, for tests of what is not routed.

  wire send DEV HEX...
      Sends each frame as it is written, from its destination MAC address on.
  wire see DEV
      Prints "ready", then a line of hexadecimal digits for each frame that comes in, VLAN tags
      included, as it was on the wire. Runs until it is killed.
"""
import socket
import struct
import sys

ETH_P_ALL, SOL_PACKET, PACKET_AUXDATA, PACKET_OUTGOING = 3, 263, 8, 4
TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 1 << 4, 1 << 6
AUXDATA = struct.Struct("IIIHHHH")


def open_device(dev, proto):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    s.bind((dev, proto))
    return s


def send(dev, frames):
    s = open_device(dev, 0)
    for frame in frames:
        s.send(bytes.fromhex(frame))


def tag_of(ancillary):
    """The outer VLAN tag, which Linux takes out of the frame before anybody sees it."""
    for level, kind, data in ancillary:
        if (level, kind) != (SOL_PACKET, PACKET_AUXDATA):
            continue
        status, *_, tci, tpid = AUXDATA.unpack(data[: AUXDATA.size])
        if status & TP_STATUS_VLAN_VALID:
            return struct.pack("!HH", tpid if status & TP_STATUS_VLAN_TPID_VALID else 0x8100, tci)
    return b""


def see(dev):
    s = open_device(dev, ETH_P_ALL)
    s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    print("ready", flush=True)
    while True:
        frame, ancillary, _, address = s.recvmsg(65536, 256)
        if address[2] != PACKET_OUTGOING:
            print((frame[:12] + tag_of(ancillary) + frame[12:]).hex(), flush=True)


def main(args):
    if len(args) > 2 and args[0] == "send":
        send(args[1], args[2:])
    elif len(args) == 2 and args[0] == "see":
        see(args[1])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
