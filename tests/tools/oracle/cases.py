# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections written by hand, step by step, that both routers must see alike.

A line: > or < (by the first end or the second), flags, sequence number+length, then options: "ack N",
"win N", "ws N", "sack". Numbers count from the initial sequence number of their direction."""
import packet as P
from traffic import Step, Talk

TCP_CASES = {
	'opens, talks and closes': ['> S 0', '< SA 0 ack 1', '> A 1 ack 1', '> PA 1+100 ack 1', '< A 1 ack 101',
		'< PA 1+500 ack 101', '> A 101 ack 501', '> FA 101 ack 501', '< A 501 ack 102', '< FA 501 ack 102',
		'> A 102 ack 502', '> S 100000', '< SA 700000 ack 100001', '> A 100001 ack 700001'],
	'closed by the second': ['> S 0', '< SA 0 ack 1', '> A 1 ack 1', '< FA 1 ack 1', '> FA 1 ack 2', '< A 2 ack 2',
		'> S 5000'],
	'both close at once': ['> S 0', '< SA 0 ack 1', '> A 1 ack 1', '< FA 1 ack 1', '> FA 1 ack 1', '< A 2 ack 2',
		'> A 2 ack 2'],
	'both open at once': ['> S 0', '< S 0', '> SA 0 ack 1', '< SA 0 ack 1', '> A 1 ack 1', '< A 1 ack 1', '> PA 1+10 ack 1'],
	'middle of a connection': ['> A 1 ack 1', '< A 1 ack 1', '> PA 1+100 ack 1', '< A 1 ack 101', '< FA 1 ack 101',
		'> FA 101 ack 2', '< A 2 ack 102', '< S 7000'],
	'refused': ['> S 0', '< RA 0 ack 1'],
	'reset': ['> S 0', '< SA 0 ack 1', '> A 1 ack 1', '> PA 1+100 ack 1', '< R 1', '> A 101 ack 1'],
	'challenged': ['> S 0', '< SA 0 ack 1', '> A 1 ack 1', '> S 3000', '< A 1 ack 1', '> R 1', '> S 3000', '< SA 9000 ack 3001',
		'> A 3001 ack 9001'],
	'resets beside the mark': ['> S 0', '< SA 0 ack 1', '> A 1 ack 1', '< PA 1+100 ack 1', '> A 1 ack 101', '< R 50', '< R 200',
		'< R 300000', '> A 1 ack 101', '< R 101'],
	'window scale': ['> S 0 ws 7 win 100', '< SA 0 ack 1 ws 2 win 100', '> A 1 ack 1 win 10', '< PA 1+1280 ack 1 win 10',
		'> PA 1+40 ack 1281 win 10', '> PA 41+60 ack 1281 win 10'],
	'closed window': ['> S 0', '< SA 0 ack 1 win 100', '> A 1 ack 1', '> PA 1+100 ack 1', '< A 1 ack 101 win 0',
		'> A 101+1 ack 1', '< A 1 ack 101 win 0', '> A 101 ack 1', '< A 1 ack 101 win 50', '> PA 101+50 ack 1'],
	'more than the window': ['> S 0', '< SA 0 ack 1 win 100', '> A 1 ack 1', '> PA 1+100 ack 1', '> PA 101+1 ack 1',
		'> PA 1000+10 ack 1', '< A 1 ack 102 win 100'],
	'repeated syn': ['> S 0', '> S 0', '< SA 0 ack 1', '< SA 0 ack 1', '> A 1 ack 1', '< SA 0 ack 1', '> A 1 ack 1'],
	'an older syn': ['> S 1000', '> S 900', '< SA 0 ack 1001', '> A 1001 ack 1'],
	'answered by an ack': ['> S 0', '< A 5000 ack 7000', '> S 0', '< SA 0 ack 1', '> A 1 ack 1'],
	'keep-alive': ['> S 0', '< SA 0 ack 1', '> A 1 ack 1', '> PA 1+10 ack 1', '< A 1 ack 11', '> A 10 ack 1', '< A 1 ack 11',
		'> A 10+1 ack 1', '< A 1 ack 11'],
	'half closed': ['> S 0', '< SA 0 ack 1', '> A 1 ack 1', '> FA 1 ack 1', '< A 1 ack 2', '< PA 1+1000 ack 2', '> A 2 ack 1001',
		'< FA 1001 ack 2', '> A 2 ack 1002'],
	'closed, and a late reset': ['> S 0', '< SA 0 ack 1', '> A 1 ack 1', '> FA 1 ack 1', '< FA 1 ack 2', '> A 2 ack 2', '> R 2',
		'> S 9000', '< SA 9000 ack 9001'],
	'data in the syn': ['> S 0+100', '< SA 0 ack 101', '> A 101 ack 1', '> PA 101+10 ack 1'],
	'wraps': ['> S 4294967290', '< SA 4294967200 ack 4294967291', '> A 4294967291 ack 4294967201',
		'> PA 4294967291+100 ack 4294967201', '< PA 4294967201+500 ack 95', '> A 95 ack 405'],
}
# Who speaks, before and after three seconds: what lasts is a stream.
UDP_CASES = {'unanswered': ('>', '>'), 'answered late': ('>', '<'), 'answered late and more': ('>', '<>'),
	'goes on': ('><', '>'), 'is answered again': ('><', '<'), 'a burst': ('><><><', '')}
LETTERS = {'F': P.FIN, 'S': P.SYN, 'R': P.RST, 'P': P.PSH, 'A': P.ACK, 'U': P.URG}


def tcp_step(line):
	words = line.split()
	end = '><'.index(words[0])
	flags = sum(LETTERS[c] for c in words[1])
	seq, _, length = words[2].partition('+')
	given = dict(zip(words[3::2], words[4::2]))
	ack, window = int(given.get('ack', 0)), int(given.get('win', 20000))
	options = b'\3\3' + bytes([int(given['ws'])]) if 'ws' in given else b''

	def build(view, last):
		own, sport, peer, dport = view
		return [P.ip(own, peer, P.TCP, P.tcp(own, sport, peer, dport, flags, int(seq), ack, window, options,
			b'x' * int(length or 0)))]
	return Step(end, build, line, 'by hand')


def udp_step(end):
	def build(view, last):
		own, sport, peer, dport = view
		return [P.ip(own, peer, P.UDP, P.udp(own, sport, peer, dport, b'by hand'))]
	return Step('><'.index(end), build, 'udp ' + end, 'by hand')


class ByHand(Talk):
	def start(self, name, lines):
		self.steps = [tcp_step(line) for line in lines]
		self.history.append(name)

	def start_udp(self, name, ends):
		self.steps = [udp_step(end) for end in ends]
		self.history.append(name)

	def next(self):
		return self.steps.pop(0) if self.steps else None
