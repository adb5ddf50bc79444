#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""oracle.py --count N [--seed S] ...: the same packets through the kernel and through our router.

Stands in the namespace that has the far ends of both routers' ports (lab.py). Says what differed
beyond differences.py; status 1 if anything did. See tests/netns/oracle_flows.sh."""
import argparse
import collections
import ipaddress
import random
import re
import subprocess
import sys
import time

import packet as P
from differences import ACCEPTED, AT_MOST, NOTRACK
from cases import TCP_CASES, UDP_CASES, ByHand
from lab import SIDES, Lab
from traffic import Other, conversation

AT_ONCE = 12
SHOWN = 12
STATES = ['', 'new', 'established', 'related', 'invalid', 'untracked', '', '']  # the DSCP that policy track gives them


class Case:
	"""One step and what came of it."""

	def __init__(self, step, talk, port, sent, out, own, policy):
		self.policy = policy
		self.step, self.talk, self.port, self.sent, self.own = step, talk, port, sent, own
		self.kind = step.kind
		self.out = out
		(self.kernel, kbroken), (self.ours, obroken) = (P.canonical(out[s], own) for s in SIDES)
		self.made = [p for _, p in self.kernel if P.Parsed(p).src in own and P.Parsed(p).error]
		self.broken = bool(kbroken or obroken)
		self.limited = False
		self.v4 = len(talk.hosts[0][0]) == 4
		self.at = len(talk.history)
		talk.history.append('%s: %s | %s' % (step.what, self.fate('kernel'), self.fate('ours')))

	@property
	def same_but_port(self):
		"""But for a source port and what follows from it."""
		fragments = self.kind.startswith('fragments')
		port = (13 if self.v4 else 38) if fragments else 20 if self.v4 else 40  # see packet.canonical()

		def mask(p):
			b = bytearray(p)
			at = port + 6 if fragments else {P.TCP: port + 16, P.UDP: port + 6, P.UDPLITE: port + 6}.get(P.Parsed(p).proto, port + 2)
			b[port:port + 2] = b[at:at + 2] = b'\0\0'
			return bytes(b)
		return [(d, mask(p)) for d, p in self.kernel] == [(d, mask(p)) for d, p in self.ours]

	@property
	def is_other(self):
		return isinstance(self.talk, Other)

	@property
	def source_port_moved(self):
		"""By the kernel, of what came from the WAN."""
		ports = lambda packets: {q.ports[0] for q in map(P.Parsed, packets) if q.ports}
		left = ports(p for _, p in self.out['kernel'])
		return self.port == 'wan' and bool(left) and left != ports(self.sent['kernel'])

	@property
	def from_own(self):
		return any(P.Parsed(p).src in self.own for p in self.sent['ours'])

	@property
	def ttl(self):
		return P.Parsed(self.sent['ours'][0]).ttl

	@property
	def same_but_quoted_ttl(self):
		at = 28 + 8 if self.v4 else 48 + 7
		mask = lambda out: [(port, p[:22] + p[24:at] + p[at + 1:at + 2] + p[at + 4:] if self.v4 else
			p[:42] + p[44:at] + p[at + 1:]) for port, p in out]
		return mask(self.kernel) == mask(self.ours)

	@property
	def to_own(self):
		return any(P.Parsed(p).dst in self.own for p in self.sent['ours'])

	@property
	def improper(self):
		return getattr(self.talk, 'improper', 0) > 0

	def state(self, side):
		"""What this router took the packet for, where the policy makes it say so."""
		return STATES[P.tos(self.out[side][0][1]) >> 2 & 7] if self.out[side] else 'dropped'

	def fate(self, side):
		return ', '.join('%s tos %02x' % (port, P.tos(p)) for port, p in self.out[side]) or 'dropped'

	@property
	def same(self):
		return self.kernel == self.ours

	def show(self):
		lines = ['%s (%s)' % (self.step.what, self.port)]
		for side in SIDES:
			for p in self.sent[side]:
				lines.append('  %-6s <- %s: %s' % (side, self.port, P.text(p)))
			for port, p in self.out[side]:
				lines.append('  %-6s -> %s: %s' % (side, port, P.text(p)))
			if not self.out[side]:
				lines.append('  %-6s dropped' % side)
		lines += ['  before: ' + h for h in self.talk.history[:self.at][-14:]]
		both = [p for side in SIDES for _, p in self.out[side]]
		if len(both) == 2 and len(both[0]) == len(both[1]):
			lines.append('  bytes that differ: ' + ' '.join('%d:%02x/%02x' % (i, a, b)
				for i, (a, b) in enumerate(zip(*both)) if a != b)[:120])
		return '\n'.join(lines)


class Oracle:
	def __init__(self, args):
		self.args = args
		self.rnd = random.Random('%s %d' % (args.policy, args.seed))
		self.lab = Lab(P)
		self.own = {ipaddress.ip_address(a).packed for a in args.own}
		self.services = []
		for s in args.service:
			where, address, port = s.split(',')
			self.services.append((where, ipaddress.ip_address(address).packed, int(port)))
		self.next_port = 10000
		self.errors_to = collections.Counter()
		self.accepted, self.wrong = collections.Counter(), []
		self.did = collections.Counter()
		self.sent = 0
		self.talks, self.gone = [], []
		self.slow = set()  # ports of flows whose times are surely known
		self.flows, self.doubtful, self.improper, self.table_wrong = 0, 0, 0, []

	def address(self, rnd, where, v4):
		net = 1 if where == 'lan' else 2
		if v4:
			return bytes([10, net, rnd.randrange(200), rnd.randrange(1, 250)])
		return bytes.fromhex('20010db8000%d0000' % net) + rnd.randbytes(6) + b'\0' + bytes([rnd.randrange(1, 250)])

	def port(self):
		self.next_port += 1
		return self.next_port

	def step(self, talk, step):
		port = talk.ports[step.end]
		sent = {}
		for side in SIDES:
			view, last = talk.views[side][step.end], talk.last[side][step.end]
			sent[side] = step.build(view, last)
		self.sent += len(sent['ours'])
		case = Case(step, talk, port, sent, self.lab.step(port, sent), self.own, self.args.policy)
		self.learn(talk, step, case)
		self.judge(case)

	@staticmethod
	def learn(talk, step, case):
		"""What arrives tells the other end who speaks to it."""
		far = talk.ports[1 - step.end]
		for side in SIDES if step.learn else ():
			for port, p in case.out[side]:
				if port == far and not P.Parsed(p).offset:
					talk.got(side, 1 - step.end, p)

	def judge(self, case):
		if case.kind == 'tcp' and not (case.kernel and case.ours):
			case.talk.improper = max(case.talk.improper, .01)  # routers saw something else than hosts did
		for p in case.made:
			to = P.Parsed(p).dst
			self.errors_to[to] += 1
			case.limited = self.errors_to[to] > 6 and not case.ours
		self.did['dropped' if not case.ours else 'answered' if case.made else 'forwarded'] += 1
		if case.same and not case.broken:
			return
		for name, _, test in ACCEPTED:
			if test(case):
				self.accepted[name] += 1
				case.talk.tainted = name
				return
		if case.same:
			return
		if case.talk.tainted:
			self.accepted['after: ' + case.talk.tainted] += 1
			return
		if self.args.routerctl and len(self.wrong) < SHOWN:
			case.talk.history.append('dropped so far: ' + self.drops())
		case.talk.tainted = 'a difference'
		self.wrong.append(case)

	def by_hand(self):
		for v4 in (True, False):
			for ends in (['lan', 'wan'], ['wan', 'lan']) if not self.args.outbound else (['lan', 'wan'],):
				for name, lines in ((n, l) for n, l in TCP_CASES.items() if n not in self.args.not_hand):
					talk = ByHand(self.rnd, [(self.address(self.rnd, ends[0], v4), self.port()),
						(self.address(self.rnd, ends[1], v4), 80)], ends)
					talk.start(name, lines)
					while step := talk.next():
						self.step(talk, step)
						if self.args.states and v4 and ends[0] == 'lan':
							self.show_states(talk, step)

	def slowly(self):
		talks = []
		for v4 in (True, False):
			for name, (now, later) in UDP_CASES.items():
				talks.append((ByHand(self.rnd, [(self.address(self.rnd, 'lan', v4), self.port()),
					(self.address(self.rnd, 'wan', v4), 53)], ['lan', 'wan']), name, now, later))
		for part in (2, 3):
			for talk in talks:
				talk[0].start_udp(talk[1], talk[part])
				while step := talk[0].next():
					self.step(talk[0], step)
			time.sleep(3 if part == 2 else 0)
		self.slow = {str(talk[0].hosts[0][1]) for talk in talks}

	def show_states(self, talk, step):
		port = str(talk.hosts[0][1])
		k = subprocess.run(['nsenter', '--net=/run/netns/k', 'conntrack', '-L', '-p', 'tcp', '--sport', port],
			capture_output=True, text=True).stdout.split()
		r = subprocess.run([self.args.states, 'show', 'conntrack', '-o', 'conntrack'], capture_output=True, text=True).stdout
		r = [w for line in r.splitlines() if 'sport=%s ' % port in line for w in line.split()]
		words = lambda l: ' '.join([l[3] if len(l) > 3 else 'NONE', '[UNREPLIED]' * ('[UNREPLIED]' in l),
			'[ASSURED]' * ('[ASSURED]' in l)]) + ' ' + (l[2] if len(l) > 3 else '')
		print('%-40s %-40s | %-40s %s' % (step.what, words(k), words(r), talk.history[-1].split(': ')[1]))

	def drops(self):
		rows = subprocess.run([self.args.routerctl, 'show', 'drops'], capture_output=True, text=True, check=True).stdout
		return ', '.join('%s %s' % (w[0], w[2]) for w in map(str.split, rows.splitlines()[1:]))

	def run(self):
		self.lab.warm_up()
		self.by_hand()
		if self.args.slowly:
			self.slowly()
		while self.sent < self.args.count:
			while len(self.talks) < AT_ONCE:
				self.talks.append(conversation(self.rnd, self.address, self.port, self.services))
			talk = self.rnd.choice(self.talks)
			step = talk.next()
			if step:
				self.step(talk, step)
			else:
				self.talks.remove(talk)
				self.gone.append(talk)

	def tables(self):
		"""The tables of flows afterwards: states, tuples, flags; not the times."""
		if not self.args.routerctl:
			return
		table = {}
		for side, command in (('kernel', ['nsenter', '--net=/run/netns/k', 'conntrack', '-L', '-f', 'FAMILY']),
				('ours', [self.args.routerctl, 'show', 'conntrack', '-o', 'conntrack'])):
			lines = []
			for family in ('ipv4', 'ipv6') if side == 'kernel' else ('',):
				lines += subprocess.run([w.replace('FAMILY', family) for w in command], capture_output=True,
					text=True, check=True).stdout.splitlines()
			table[side] = dict(flow_of(line) for line in lines if 'src=' in line)
		improper = {str(talk.hosts[0][1]) for talk in self.gone + self.talks if getattr(talk, 'improper', 0)}
		doubtful = {str(port) for talk in self.gone + self.talks if talk.tainted for port in [talk.hosts[0][1]]}
		for key in sorted(table['kernel'].keys() | table['ours'].keys(), key=str):
			k, o = table['kernel'].get(key), table['ours'].get(key)
			if k == o:
				self.flows += 1
			elif improper & set(key):
				self.improper += 1
			elif key[0] not in ('1', '6', '17', '58') and k and packed(k[1][1]) in self.own:
				self.doubtful += 1  # answers are not known to be for NAT: differences.py
			elif self.args.policy == 'firewall' and str(NOTRACK) in key:
				self.doubtful += 1
			elif doubtful & set(key) or any(packed(a) in self.own for a in key[2:4]) or \
					(k is None and o[0] == 'CLOSE') or not self.slow & set(key) and mask_udp(key, k) == mask_udp(key, o):
				self.doubtful += 1
			else:
				talks = [t for t in self.gone + self.talks if t.hosts[0][0] in (packed(key[2]), packed(key[3])) and
					str(t.hosts[0][1]) in key + ('47', '4', '253')]
				self.table_wrong.append('%s\n  kernel %s\n  ours   %s\n%s' % (' '.join(key), k, o, '\n'.join(
					'  history: ' + h for t in talks for h in t.history[-14:])))

	def report(self):
		print('%d flows equal, %d of improper connections not, %d not compared' % (self.flows, self.improper, self.doubtful))
		if self.table_wrong:
			print('DIFFERENT: %d flows' % len(self.table_wrong))
			print('\n'.join(self.table_wrong[:SHOWN]))
		print('%d packets (%s), seed %d' % (self.sent, ', '.join('%d %s' % (n, w) for w, n in self.did.most_common()),
			self.args.seed))
		for name, n in self.accepted.most_common():
			print('accepted: %d %s' % (n, name))
		too_often = [n for n, most in AT_MOST.items() if self.accepted[n] > most * self.sent + 3]
		for name in too_often:
			print('DIFFERENT: %s explains too much' % name)
		if self.wrong:
			print('DIFFERENT: %d steps' % len(self.wrong))
			for case in self.wrong[:SHOWN]:
				print(case.show())
		return bool(self.wrong or too_often or self.table_wrong)


def packed(address):
	return ipaddress.ip_address(address).packed


def flow_of(line):
	"""A line of conntrack as (what it is, what is known of it)."""
	words = line.split()
	tuples = [w.partition('=')[2] for w in words if re.match('(src|dst|sport|dport|type|code|id|srckey|dstkey)=', w)]
	half = len(tuples) // 2
	state = words[3] if '=' not in words[3] else ''
	mark = [w for w in words if w.startswith('mark=')]
	return (tuple([words[1]] + ['orig'] + tuples[:half]),
		(state, tuple(tuples[half:]), '[UNREPLIED]' in words, '[ASSURED]' in words, mark[0] if mark else 'mark=0'))


def mask_udp(key, flow):
	"""When a stream is one depends on the clock: 2 s, which each router's passes elsewhere."""
	return flow and (flow[:3] + flow[4:] if key[0] in ('17', '136') else flow)


def main():
	a = argparse.ArgumentParser()
	a.add_argument('--policy', default='', help='its name, for the accepted differences')
	a.add_argument('--count', type=int, default=1000)
	a.add_argument('--seed', type=int, default=1)
	a.add_argument('--own', action='append', default=[], help='an address of the router')
	a.add_argument('--service', action='append', default=[], help='WHERE,ADDRESS,PORT that may be sent to')
	a.add_argument('--outbound', action='store_true', help='by hand: only from the LAN')
	a.add_argument('--slowly', action='store_true', help='also UDP over three seconds')
	a.add_argument('--routerctl', help='compare the tables of flows, too')
	a.add_argument('--not-hand', action='append', default=[], help='a case by hand that makes no sense here')
	a.add_argument('--states', metavar='ROUTERCTL', help='show the states of what is by hand')
	args = a.parse_args()
	o = Oracle(args)
	start = time.monotonic()
	o.run()
	o.tables()
	print('%.1f s' % (time.monotonic() - start))
	return o.report()


if __name__ == '__main__':
	sys.exit(main())
