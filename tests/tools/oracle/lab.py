# SPDX-License-Identifier: GPL-2.0-or-later
"""Two routers side by side, fed frame by frame.

Each has two ports, "lan" and "wan", whose far ends are devices here: k-lan, k-wan (the kernel's
namespace), r-lan, r-wan (ours). After what is to be tested a step sends, by the same port, one
packet that every router must let through to each port; what came out of a port before that one is
what the step caused. So no step waits for a time-out, and a dropped packet is one that nothing came
of."""
import select
import socket
import struct
import time

SIDES = ('kernel', 'ours')
PORTS = ('lan', 'wan')
DISCARD = 9  # the fences' UDP port, which no policy tracks
PACKET_IGNORE_OUTGOING = 23
SOL_PACKET = 263

# A packet through a port says nothing of the other family's: they may pass each other in a burst.
FENCES = [(port, bytes(head), bytes.fromhex(source), bytes.fromhex(to)) for port, head, source, to in (
	('lan', b'\x08\0', '0a090909', '0a01fffe'),
	('wan', b'\x08\0', '0a090909', '0a02fffe'),
	('lan', b'\x86\xdd', '20010db8000900000000000000000009', '20010db8000100000000000000fffffe'),
	('wan', b'\x86\xdd', '20010db8000900000000000000000009', '20010db8000200000000000000fffffe'))]


def mac(port, host):
	return bytes([2, 0, 0, 0, PORTS.index(port) + 1, host])


class Lab:
	def __init__(self, packet):
		self.packet = packet
		self.step_number = int(time.monotonic() * 1e6) & 0xffffffff
		self.sock = {}
		self.header = {port: mac(port, 1) + mac(port, 2) for port in PORTS}
		self.poll = {side: select.poll() for side in SIDES}
		for side in SIDES:
			for port in PORTS:
				s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
				s.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
				s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
				s.bind(({'kernel': 'k-', 'ours': 'r-'}[side] + port, 3))
				s.setblocking(False)
				self.sock[side, port] = s
				self.poll[side].register(s, select.POLLIN)

	def warm_up(self):
		"""Until both routers know all neighbours: until then packets of ours wait."""
		until = time.monotonic() + 10
		while True:
			try:
				for port in PORTS:
					self.step(port, {side: [] for side in SIDES}, patience=.2)
				return
			except TimeoutError:
				if time.monotonic() > until:
					raise

	def step(self, port, packets, patience=5):
		"""Sends packets[side] into `port` of each side; what left: {side: [(port, packet)]}."""
		self.step_number = self.step_number + 1 & 0xffffffff
		mark = struct.pack('!I', self.step_number) + b'fence'
		header = self.header[port]
		p = self.packet
		fences = [header + head + p.ip(a, b, p.UDP, p.udp(a, DISCARD, b, DISCARD, mark)) for _, head, a, b in FENCES]
		for side in SIDES:
			send = self.sock[side, port].send
			for packet in packets[side]:
				send(header + (b'\x08\0' if packet[0] >> 4 == 4 else b'\x86\xdd') + packet)
			for fence in fences:
				send(fence)
		return {side: self._collect(side, mark, time.monotonic() + patience) for side in SIDES}

	def _collect(self, side, mark, until):
		out, missing = [], {(port, head) for port, head, _, _ in FENCES}
		while True:
			for port in PORTS:
				self._drain(side, port, mark, out, missing)
			if not missing:
				return out
			if time.monotonic() > until:
				raise TimeoutError('%s: fences did not come: %s' % (side, sorted(missing)))
			self.poll[side].poll(20)

	def _drain(self, side, port, mark, out, missing):
		s = self.sock[side, port]
		while True:
			try:
				frame = s.recv(65535)
			except BlockingIOError:
				return
			head = frame[12:14]
			if frame[0] & 1 or head not in (b'\x08\0', b'\x86\xdd'):
				continue  # Linux announces itself
			p = exact(frame[14:])
			if p.endswith(mark):
				missing.discard((port, head))
			elif not p.endswith(b'fence'):
				out.append((port, p))


def exact(p):
	"""Without padding."""
	if p[0] >> 4 == 4:
		return p[:int.from_bytes(p[2:4], 'big')]
	return p[:40 + int.from_bytes(p[4:6], 'big')]
