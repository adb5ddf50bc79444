# SPDX-License-Identifier: GPL-2.0-or-later
"""IP packets: made, taken apart, and written in a form in which two routers' can be compared.

An address is 4 or 16 bytes; which, says the family. Packets begin with the IP header."""
import socket
import struct

ICMP, TCP, UDP, GRE, ESP, ICMP6, SCTP, UDPLITE = 1, 6, 17, 47, 50, 58, 132, 136
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << i for i in range(8))
FRAGMENT6 = 44
PORTS = (TCP, UDP, SCTP, UDPLITE)


def csum(data):
	if len(data) & 1:
		data += b'\0'
	return (65535 - int.from_bytes(data, 'big') % 65535) % 65535


def pseudo(src, dst, proto, length):
	if len(src) == 4:
		return src + dst + struct.pack('!HH', proto, length)
	return src + dst + struct.pack('!II', length, proto)


def with_csum(src, dst, proto, l4, at):
	"""The transport header and data with their checksum, which stands at `at`."""
	head = b'' if proto == ICMP else pseudo(src, dst, proto, len(l4))
	c = csum(head + l4[:at] + b'\0\0' + l4[at + 2:])
	if proto in (UDP, UDPLITE) and c == 0:
		c = 0xffff
	return l4[:at] + c.to_bytes(2, 'big') + l4[at + 2:]


def ip(src, dst, proto, l4, ttl=64, tos=0, ident=0, frag=0):
	"""frag: IPv4's field of flags and offset."""
	if len(src) == 4:
		h = struct.pack('!BBHHHBBH', 0x45, tos, 20 + len(l4), ident, frag, ttl, proto, 0) + src + dst
		return h[:10] + csum(h).to_bytes(2, 'big') + h[12:] + l4
	return struct.pack('!IHBB', 6 << 28 | tos << 20, len(l4), proto, ttl) + src + dst + l4


def tcp(src, sport, dst, dport, flags, seq, ack, window, options=b'', data=b''):
	options += b'\1' * (-len(options) % 4)
	l4 = struct.pack('!HHIIBBHHH', sport, dport, seq & 0xffffffff, ack & 0xffffffff,
		(20 + len(options)) << 2, flags, window, 0, 0) + options + data
	return with_csum(src, dst, TCP, l4, 16)


def udp(src, sport, dst, dport, data, length=None):
	l4 = struct.pack('!HHHH', sport, dport, 8 + len(data) if length is None else length, 0) + data
	return with_csum(src, dst, UDP, l4, 6)


def icmp(src, dst, kind, code, rest, data):
	proto = ICMP if len(src) == 4 else ICMP6
	return with_csum(src, dst, proto, struct.pack('!BBHI', kind, code, 0, rest) + data, 2)


def pieces(packet, cuts, ident):
	"""The fragments of a packet, cut at these offsets (multiples of 8) of its payload."""
	v4 = len(packet) and packet[0] >> 4 == 4
	hlen = 20 if v4 else 40
	payload, out = packet[hlen:], []
	cuts = [0] + cuts + [len(payload)]
	for start, end in zip(cuts, cuts[1:]):
		more = end != len(payload)
		part = payload[start:end]
		if v4:
			out.append(ip(packet[12:16], packet[16:20], packet[9], part, packet[8], packet[1], ident,
				start >> 3 | more << 13))
		else:
			part = struct.pack('!BBHI', packet[6], 0, start | more, ident) + part
			out.append(ip(packet[8:24], packet[24:40], FRAGMENT6, part, packet[7]))
	return out


class Parsed:
	"""What one sees of a packet from outside. ports: what tells flows apart, None where unknown."""
	__slots__ = ('v4', 'src', 'dst', 'proto', 'ttl', 'l4', 'ident', 'offset', 'more', 'head')

	def __init__(self, p):
		self.v4 = p[0] >> 4 == 4
		self.ident = self.offset = 0
		self.more = False
		if self.v4:
			self.src, self.dst, self.proto, self.ttl = p[12:16], p[16:20], p[9], p[8]
			self.l4 = p[(p[0] & 15) * 4:int.from_bytes(p[2:4], 'big')]
			frag = int.from_bytes(p[6:8], 'big')
			self.ident = int.from_bytes(p[4:6], 'big')
			self.offset, self.more = (frag & 0x1fff) * 8, bool(frag & 0x2000)
			# version, TOS, DF and TTL: what may not differ, unlike length and id of fragments
			self.head = p[0:2] + bytes([p[6] & 0x40, p[8]])
			return
		self.src, self.dst, self.proto, self.ttl = p[8:24], p[24:40], p[6], p[7]
		self.l4 = p[40:40 + int.from_bytes(p[4:6], 'big')]
		self.head = p[0:4] + p[7:8]
		if self.proto == FRAGMENT6 and len(self.l4) >= 8:
			frag = int.from_bytes(self.l4[2:4], 'big')
			self.ident = int.from_bytes(self.l4[4:8], 'big')
			self.offset, self.more = frag & 0xfff8, bool(frag & 1)
			self.proto, self.l4 = self.l4[0], self.l4[8:]

	@property
	def fragment(self):
		return self.offset or self.more

	@property
	def ports(self):
		if self.offset or self.proto not in PORTS or len(self.l4) < 4:
			return None
		return struct.unpack_from('!HH', self.l4)

	@property
	def icmp(self):
		"""Type and code, of ICMP of either family."""
		if self.proto != (ICMP if self.v4 else ICMP6) or self.offset or len(self.l4) < 2:
			return None
		return self.l4[0], self.l4[1]

	@property
	def error(self):
		return self.icmp and self.icmp[0] in ((3, 4, 5, 11, 12) if self.v4 else (1, 2, 3, 4))


def assemble(parts):
	"""The payload of a datagram out of (offset, more, bytes), or None if some of it is missing."""
	parts = sorted(set(parts))
	out = b''
	for offset, more, data in parts:
		if offset != len(out):
			return None
		out += data
	return None if not parts or parts[-1][1] else out


def l4_sum_right(q):
	if q.proto == ICMP and q.v4:
		return csum(q.l4) == 0
	return csum(pseudo(q.src, q.dst, q.proto, len(q.l4)) + q.l4) == 0


def canonical(outputs, own):
	"""What left a router, (port, packet) each, in a form to compare: fragments put together, what
	routers choose freely in packets of their own (their IPv4 id) masked. `own`: the addresses of
	the router. Returns (whole, broken): broken are fragments of datagrams that are not complete."""
	whole, broken, under_way = [], [], {}
	for port, p in outputs:
		q = Parsed(p)
		if q.fragment:
			under_way.setdefault((port, q.src, q.dst, q.proto, q.ident, q.head), []).append(
				(q.offset, q.more, q.l4))
		elif q.v4 and q.src in own and csum(p[:20]) == 0 and l4_sum_right(q):
			# no id is like another, and whether ECN's bits are taken over is nobody's business
			whole.append((port, p[:1] + bytes([p[1] & 0xfc]) + p[2:4] + b'\0\0' + p[6:10] + b'\0\0' + p[12:]))
		else:
			whole.append((port, p))
	for (port, src, dst, proto, _, head), parts in under_way.items():
		l4 = assemble(parts)
		if l4 is None:
			broken += [(port, part) for part in parts]
		else:
			whole.append((port, head + src + dst + bytes([proto]) + l4))
	return sorted(whole), broken


def tos(p):
	return p[1] if p[0] >> 4 == 4 else int.from_bytes(p[:2], 'big') >> 4 & 0xff


def text(p):
	"""One line about a packet, for people."""
	q = Parsed(p)
	ends = [socket.inet_ntop(socket.AF_INET if q.v4 else socket.AF_INET6, a) for a in (q.src, q.dst)]
	if q.ports:
		ends = ['%s.%d' % e for e in zip(ends, q.ports)]
	return '%s > %s ttl %d tos %02x %s' % (*ends, q.ttl, tos(p), inside(q))


def inside(q):
	if q.fragment:
		return 'proto %d fragment %d+%d%s id %d' % (q.proto, q.offset, len(q.l4), ' more' if q.more else '', q.ident)
	right = '' if q.proto not in (ICMP, TCP, UDP, ICMP6) or l4_sum_right(q) else ' WRONG SUM'
	if q.proto == TCP and len(q.l4) >= 20:
		seq, ack, doff, flags, window = struct.unpack_from('!IIBBH', q.l4, 4)
		names = ''.join(n for i, n in enumerate('FSRPAUEC') if flags >> i & 1)
		return 'tcp [%s] seq %d ack %d win %d len %d opt %s%s' % (names, seq, ack, window,
			len(q.l4) - (doff >> 4) * 4, q.l4[20:(doff >> 4) * 4].hex(), right)
	if not q.icmp:
		return 'proto %d len %d%s' % (q.proto, len(q.l4), right)
	about = ''
	if q.error and len(q.l4) > 8 + (20 if q.v4 else 40):
		about = ' about (%s)' % text(q.l4[8:])
	return 'icmp %d/%d rest %s len %d%s%s' % (*q.icmp, q.l4[4:8].hex(), len(q.l4), right, about)
