# SPDX-License-Identifier: GPL-2.0-or-later
"""Conversations between two hosts, proper and improper, out of a seeded random generator.

A conversation has two ends: 0 speaks first. `next()` gives a Step or None when it has ended. What a
step sends depends on how its end knows the other one: behind translation, that is what it last
received, on each side separately. So `Step.build` makes the packets from a view (own address and
port, the peer's)."""
import struct
from dataclasses import dataclass, field

import packet as P


@dataclass
class Step:
	end: int
	build: object  # view -> [packet]
	what: str
	kind: str = ''  # for the list of accepted differences
	learn: bool = True  # what arrives tells the other end who speaks to it


@dataclass
class Talk:
	"""What all conversations share. hosts: (address, port) of both ends, as the first knows them;
	ports: where they are, "lan" or "wan"."""
	rnd: object
	hosts: list
	ports: list
	views: dict = field(default_factory=dict)  # side -> [view of 0, view of 1]
	last: dict = field(default_factory=dict)  # side -> [packet last received by 0, by 1]
	left: int = 8
	ttl: int = 64
	tos: int = 0
	tainted: str = ''
	history: list = field(default_factory=list)
	begun: bool = False  # its first end has spoken

	def __post_init__(self):
		a, b = self.hosts
		for side in ('kernel', 'ours'):
			self.views[side] = [(*a, *b), (*b, *a)]
			self.last[side] = [None, None]

	def got(self, side, end, p):
		q = P.Parsed(p)
		if q.error:
			return
		self.last[side][end] = p
		if q.ports:
			self.views[side][end] = (q.dst, q.ports[1], q.src, q.ports[0])
		elif q.icmp:
			self.views[side][end] = (q.dst, struct.unpack_from('!H', q.l4, 4)[0] if len(q.l4) >= 6 else 0, q.src, 0)
		else:
			self.views[side][end] = (q.dst, 0, q.src, 0)

	def ip(self, view, proto, l4, **more):
		return P.ip(view[0], view[2], proto, l4, self.ttl, self.tos, **more)

	def maybe_error(self):
		"""One time in a while an error about what an end has received."""
		return self.error() if self.rnd.random() < .06 else None

	def error(self):
		r = self.rnd
		end, v4 = r.randrange(2), len(self.hosts[0][0]) == 4
		kind, code = r.choice([(3, 0), (3, 1), (3, 3), (3, 4), (3, 13), (11, 0), (11, 1), (12, 0), (4, 0), (5, 1)]
			if v4 else [(1, 0), (1, 4), (2, 0), (3, 0), (3, 1), (4, 0), (4, 1)])
		rest = r.choice([0, 1280, 1400])
		forged = r.choice(['', '', '', '', 'ports', 'address', 'outer', 'sum', 'quoted sum', 'short', 'reversed'])
		middle = r.random() < .3
		quote_len = r.choice([28, 28, 48, 100, 548] if v4 else [48, 48, 68, 120, 1232])
		shift = r.randrange(1, 60000)
		other = r.randrange(1, 255)

		def build(view, last):
			own, sport, peer, dport = view
			quoted = last or P.ip(peer, own, P.UDP, P.udp(peer, dport, own, sport, b'not sent'))
			to, source = peer, own
			if forged == 'reversed':
				q = P.Parsed(quoted)
				quoted = P.ip(q.dst, q.src, q.proto, q.l4)
			quoted = quoted[:quote_len]
			hlen = 20 if v4 else 40
			if forged == 'ports' and len(quoted) >= hlen + 2:
				port = (int.from_bytes(quoted[hlen:hlen + 2], 'big') + shift) & 0xffff
				quoted = quoted[:hlen] + port.to_bytes(2, 'big') + quoted[hlen + 2:]
			if forged == 'address':
				at = 15 if v4 else 23
				quoted = quoted[:at] + bytes([quoted[at] ^ other]) + quoted[at + 1:]
				if v4:
					head = quoted[:10] + b'\0\0' + quoted[12:20]
					quoted = head[:10] + P.csum(head).to_bytes(2, 'big') + quoted[12:]
			if forged == 'outer':
				to = to[:-1] + bytes([to[-1] ^ other])
			if forged == 'quoted sum' and v4:
				quoted = quoted[:10] + bytes([quoted[10] ^ 1]) + quoted[11:]
			if forged == 'short':
				quoted = quoted[:hlen + 4]
			if middle:
				source = own[:-2] + b'\xee' + bytes([other])
			l4 = P.icmp(source, to, kind, code, rest, quoted)
			if forged == 'sum':
				l4 = l4[:2] + bytes([l4[2] ^ 1]) + l4[3:]
			return [P.ip(source, to, P.ICMP if v4 else P.ICMP6, l4, self.ttl, self.tos)]
		return Step(end, build, 'error %d/%d%s%s' % (kind, code, ' forged ' + forged if forged else '',
			' by a router between' if middle else ''), 'error ' + forged, learn=False)


def spoil(packet, at):
	"""The same with a wrong transport checksum, which stands at `at` of the transport header."""
	at += 20 if packet[0] >> 4 == 4 else 40
	return packet[:at] + bytes([packet[at] ^ 0x55]) + packet[at + 1:]


class Tcp(Talk):
	"""A connection, most of it proper: then anything TCP headers can say."""

	def __post_init__(self):
		super().__post_init__()
		r = self.rnd
		self.phase = r.choices(['syn', 'middle', 'any'], [16, 2, 1])[0]
		self.nxt = [r.choice([r.getrandbits(32), 0xffffff00, 0]) for _ in range(2)]
		self.window = [r.choice([100, 1000, 8000, 65535]) if r.random() < .3 else 20000 for _ in range(2)]
		self.options = [self.syn_options(), self.syn_options()]
		self.fin = [False, False]
		self.again = 0
		self.left = r.randrange(4, 30)
		self.acked = [n + 1 for n in self.nxt]  # what the other end has acknowledged
		self.improper = r.choice([0, 0, .1, .3, .6]) if self.phase == 'syn' else .3
		self.sent = []

	def syn_options(self):
		r = self.rnd
		o = b''
		if r.random() < .7:
			o += b'\2\4' + r.choice([536, 1400, 1460]).to_bytes(2, 'big')
		if r.random() < .5:
			o += b'\3\3' + bytes([r.choice([0, 2, 7, 14, 15])])
		if r.random() < .5:
			o += b'\4\2'
		if r.random() < .3:
			o += b'\x08\x0a' + r.randbytes(8)
		return o

	def next(self):
		if not self.left:
			return None
		self.left -= 1
		r = self.rnd
		error = self.maybe_error()
		if error:
			return error
		if self.phase == 'any' or r.random() < self.improper:
			return self.anything()
		return getattr(self, 'in_' + self.phase)()

	# the proper way
	def in_syn(self):
		if self.again:
			self.fin = [False, False]
			self.nxt[0] += self.again
			self.acked = [n + 1 for n in self.nxt]
			self.again = 0
		if self.rnd.random() < .05:
			self.phase = 'crossing'  # both open: net/tcp.c says how we differ
			self.improper = max(self.improper, .01)
		else:
			self.phase = 'synack'
		return self.segment(0, P.SYN, options=self.options[0])

	def in_crossing(self):
		self.phase = self.rnd.choice(['crossed', 'synack'])
		return self.segment(1, P.SYN, options=self.options[1], ack=0, advance=False)

	def in_crossed(self):
		self.phase = 'open'
		return self.segment(self.rnd.randrange(2), P.SYN | P.ACK, seq=-1, advance=False)

	def in_synack(self):
		self.phase = 'ack'
		return self.segment(1, P.SYN | P.ACK, options=self.options[1])

	def in_ack(self):
		self.phase = 'open'
		return self.segment(0, P.ACK)

	def in_middle(self):
		self.phase = 'open'
		return self.in_open()

	def in_open(self):
		r = self.rnd
		end = r.randrange(2)
		room = self.window[1 - end] - (self.nxt[end] - self.acked[end])
		if r.random() < .12 and room > 0:
			self.phase = 'close'
			self.fin[end] = True
			return self.segment(end, P.FIN | P.ACK)
		if r.random() < .03 and self.acked[end] == self.nxt[end]:
			self.left = min(self.left, 2)
			return self.segment(end, r.choice([P.RST, P.RST | P.ACK]), data=b'')
		data = r.randbytes(min(r.choice([0, 0, 1, 100, 500]), max(0, room))) if not self.fin[end] else b''
		return self.segment(end, P.ACK | (P.PSH if data else 0), data=data)

	def in_close(self):
		r = self.rnd
		end = r.randrange(2)
		if not self.fin[end] and r.random() < .6 and self.window[1 - end] > self.nxt[end] - self.acked[end]:
			self.fin[end] = True
			return self.segment(end, P.FIN | P.ACK)
		if all(self.fin) and r.random() < .3:
			self.phase = 'syn'  # the same again
			self.again = r.choice([1000, 100000])
		return self.segment(end, P.ACK)

	# anything
	def anything(self):
		r = self.rnd
		end = r.randrange(2)
		if self.sent and r.random() < .15:
			return r.choice(self.sent)  # again
		flags = r.choice([P.ACK, P.ACK, P.ACK | P.PSH, P.RST, P.RST, P.RST | P.ACK, P.SYN, P.SYN | P.ACK, P.FIN | P.ACK,
			P.FIN, 0, P.SYN | P.FIN, P.SYN | P.RST, P.SYN | P.RST | P.ACK, 0xff, P.FIN | P.PSH | P.URG, P.URG | P.ACK,
			P.SYN | P.ECE | P.CWR, P.SYN | P.URG, P.SYN | P.ACK | P.URG, P.PSH, P.RST | P.FIN | P.ACK, P.SYN | P.PSH])
		near = [0, 0, 0, 1, -1, 100, -100, 1000, 20000, 20001, -20000, -70000, 70000, 1 << 30, 1 << 31]
		data = r.randbytes(r.choice([0, 0, 0, 1, 10, 400]))
		window = r.choice([None, None, None, 0, 1, 65535])
		options = b''
		if r.random() < .2:
			options = b'\1\1\5\x0a' + struct.pack('!II', (self.nxt[1 - end] + r.choice([1, 500, 70000])) & 0xffffffff,
				(self.nxt[1 - end] + r.choice([2, 1000, 90000])) & 0xffffffff)
		step = self.segment(end, flags, seq=r.choice(near), ack=r.choice(near), data=data, window=window,
			options=options, advance=False)
		damage = r.choice([''] * 12 + ['sum', 'offset', 'short'])
		if not damage:
			return step

		def build(view, last):
			p = step.build(view, last)[0]
			hlen = 20 if p[0] >> 4 == 4 else 40
			if damage == 'sum':
				return [spoil(p, 16)]
			l4 = p[hlen:]
			if damage == 'offset':
				l4 = l4[:12] + bytes([r_offset << 4]) + l4[13:]
			else:
				l4 = l4[:r_short]
			return [self.ip(view, P.TCP, l4)]
		r_offset, r_short = r.choice([0, 4, 15]), r.choice([4, 8, 13, 19])
		return Step(end, build, step.what + ' damaged: ' + damage, 'tcp ' + damage, learn=False)

	def segment(self, end, flags, seq=0, ack=None, data=b'', options=b'', window=None, advance=True):
		"""The segment that end sends next; seq and ack: how far from where they should be."""
		at = self.nxt[end] + seq
		acked = 0 if ack == 0 and flags == P.SYN else self.nxt[1 - end] + (ack or 0)
		if not flags & P.ACK:
			acked = 0 if self.rnd.random() < .8 else acked
		if window is None:
			window = self.window[end]
		if advance:
			if flags & P.ACK:
				self.acked[1 - end] = self.nxt[1 - end]
			self.nxt[end] += len(data) + bool(flags & P.SYN) + bool(flags & P.FIN)

		def build(view, last):
			own, sport, peer, dport = view
			return [self.ip(view, P.TCP, P.tcp(own, sport, peer, dport, flags, at, acked, window, options, data))]
		step = Step(end, build, 'tcp by %d flags %02x seq %+d ack %+d len %d in %s' % (end, flags, seq, ack or 0,
			len(data), self.phase), 'tcp')
		self.sent.append(step)
		return step


class Udp(Talk):
	def next(self):
		if not self.left:
			return None
		self.left -= 1
		error = self.maybe_error()
		if error:
			return error
		r = self.rnd
		end = 0 if not self.begun else r.randrange(2)
		self.begun = True
		data = r.randbytes(r.choice([0, 1, 20, 100, 700]))
		damage = r.choice([''] * 14 + ['zero', 'zero', 'sum', 'long', 'small', 'less', 'short'])
		cut = r.randrange(0, 8)
		again = r.randrange(0, 8)

		def build(view, last):
			own, sport, peer, dport = view
			length = {'long': len(data) + 9, 'small': again, 'less': 8 + len(data) // 2}.get(damage)
			l4 = P.udp(own, sport, peer, dport, data, length)
			if damage == 'zero':
				l4 = l4[:6] + b'\0\0' + l4[8:]
			if damage == 'short':
				l4 = l4[:cut]
			p = self.ip(view, P.UDP, l4)
			return [spoil(p, 6) if damage == 'sum' else p]
		return Step(end, build, 'udp by %d %s' % (end, damage), 'udp ' + damage, learn=damage in ('', 'zero'))


class Ping(Talk):
	"""Queries and answers; the port of a host is the id."""

	def next(self):
		if not self.left:
			return None
		self.left -= 1
		error = self.maybe_error()
		if error:
			return error
		r, v4 = self.rnd, len(self.hosts[0][0]) == 4
		query, answer = r.choice([(8, 0)] * 6 + [(13, 14), (15, 16), (17, 18), (10, 9), (30, 31), (8, 5)]
			if v4 else [(128, 129)] * 8 + [(130, 131), (135, 136), (144, 145), (137, 128)])
		end = 0 if not self.begun else r.randrange(2)
		self.begun = True
		kind = query if end == 0 else answer
		if r.random() < .1:
			kind = query if end else answer
		code = r.choice([0] * 15 + [1])
		data, number = r.randbytes(r.choice([4, 56, 400])), r.getrandbits(16)
		damage = r.choice([''] * 14 + ['sum', 'short'])
		ident = self.hosts[0][1]

		def build(view, last):
			own, own_id, peer, peer_id = view
			l4 = P.icmp(own, peer, kind, code, (own_id if end else ident) << 16 | number, data)
			if damage == 'short':
				l4 = l4[:5]
			p = self.ip(view, P.ICMP if v4 else P.ICMP6, l4)
			return [spoil(p, 2) if damage == 'sum' else p]
		return Step(end, build, 'icmp by %d type %d code %d %s' % (end, kind, code, damage), 'icmp ' + damage,
			learn=not damage)

	def __post_init__(self):
		super().__post_init__()
		for side in self.views:
			(a, ident), (b, _) = self.hosts
			self.views[side] = [(a, ident, b, ident), (b, ident, a, ident)]


class Other(Talk):
	"""Protocols known by their addresses alone, or with ports of their own."""

	def __post_init__(self):
		super().__post_init__()
		self.proto = self.rnd.choice([253, 253, P.ESP, 4, P.GRE, P.UDPLITE, P.UDPLITE, 89])
		self.left = self.rnd.randrange(1, 6)

	def next(self):
		if not self.left:
			return None
		self.left -= 1
		error = self.maybe_error()
		if error:
			return error
		r = self.rnd
		end = 0 if not self.begun else r.randrange(2)
		self.begun = True
		data = r.randbytes(r.choice([8, 20, 100]))
		if self.proto == P.GRE:
			data = r.choice([b'\0\0\x08\0', b'\x20\0\x08\0\0\0\0\1']) + data
		damage = r.choice([''] * 10 + ['sum', 'short']) if self.proto == P.UDPLITE else ''

		def build(view, last):
			own, sport, peer, dport = view
			l4 = data
			if self.proto == P.UDPLITE:
				l4 = struct.pack('!HHHH', sport, dport, 0, 0) + data
				l4 = P.with_csum(own, peer, P.UDPLITE, l4, 6)
				if damage == 'short':
					l4 = l4[:6]
			p = self.ip(view, self.proto, l4)
			return [spoil(p, 6) if damage == 'sum' else p]
		return Step(end, build, 'protocol %d by %d %s' % (self.proto, end, damage), 'protocol %d' % self.proto,
			learn=not damage)


class Pieces(Talk):
	"""Datagrams in fragments, in all orders; some not whole."""

	def __post_init__(self):
		super().__post_init__()
		self.echo = self.rnd.random() < .3
		self.left = self.rnd.randrange(1, 5)
		for side in self.views if self.echo else ():
			(a, ident), (b, _) = self.hosts
			self.views[side] = [(a, ident, b, ident), (b, ident, a, ident)]

	def next(self):
		if not self.left:
			return None
		self.left -= 1
		r, v4 = self.rnd, len(self.hosts[0][0]) == 4
		end = 0 if not self.begun else r.randrange(2)
		self.begun = True
		data = r.randbytes(r.choice([200, 1000, 2500]))
		ident = r.getrandbits(16 if v4 else 32)
		total = len(data) + 8
		cuts = sorted({*r.sample(range(64, total - 8, 8), r.randrange(1, 4)), *range(1200, total - 8, 1200)})
		order = list(range(len(cuts) + 1))
		r.shuffle(order)
		how = r.choice([''] * 8 + ['lost', 'twice', 'overlap', 'sum'])
		number = r.getrandbits(16)

		def build(view, last):
			own, sport, peer, dport = view
			if self.echo:
				kind = (8 if v4 else 128) if end == 0 else (0 if v4 else 129)
				whole = self.ip(view, P.ICMP if v4 else P.ICMP6, P.icmp(own, peer, kind, 0, sport << 16 | number, data))
			else:
				whole = self.ip(view, P.UDP, P.udp(own, sport, peer, dport, data))
			if how == 'sum':
				whole = spoil(whole, 2 if self.echo else 6)
			parts = P.pieces(whole, cuts, ident)
			if how == 'overlap':
				parts += [P.pieces(whole, [cuts[0] - 8, cuts[0] + 8], ident)[1]]
				order_now = order + [len(parts) - 1]
			else:
				order_now = order[1:] if how == 'lost' else order + order[:1] if how == 'twice' else order
			return [parts[i] for i in order_now]
		return Step(end, build, 'fragments %s of %d bytes cut at %s by %d %s' % (order, total, cuts, end, how),
			'fragments ' + how, learn=how == '')


KINDS = [(Tcp, 10), (Udp, 4), (Ping, 3), (Other, 1), (Pieces, 2)]


def conversation(rnd, address, port, services):
	"""A new one. address(rnd, where, v4) gives a host; port(): a port not used before; services: what the
	wan's hosts may begin: (where, address, port) they may send to besides the lan's own."""
	v4 = rnd.random() < .6
	cls = rnd.choices([k for k, _ in KINDS], [w for _, w in KINDS])[0]
	begins = 'lan' if rnd.random() < .7 else 'wan'
	ends = [begins, 'wan' if begins == 'lan' else 'lan']
	target = (address(rnd, ends[1], v4), rnd.choice([80, 443, 53, 5060, 22, 7, 8080, 33434, 6000 + rnd.randrange(99)]))
	fitting = [s for s in services if s[0] == begins and (len(s[1]) == 4) == v4]
	if fitting and rnd.random() < .6:
		_, to, to_port = rnd.choice(fitting)
		target = (to, to_port or target[1])
	talk = cls(rnd, [(address(rnd, begins, v4), port()), target], ends)
	talk.ttl = rnd.choice([64] * 40 + [255, 128, 2, 1])
	talk.tos = rnd.choice([0, 0, 0, 0xb8, 0x28, 2])
	return talk
