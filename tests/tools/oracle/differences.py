# SPDX-License-Identifier: GPL-2.0-or-later
"""Where our router may differ from the kernel: each with its reason. Anything else fails the test.

A row: (name, reason, test). The test sees a Case and says whether the row explains it."""
ACCEPTED = [
	('fragments not whole', 'nothing is reassembled (design section 5): fragments go on when the first of their '
		'datagram is known, also where the kernel waits for all of it',
		lambda c: c.kind in ('fragments lost', 'fragments overlap') and not c.kernel),
	('fragments sum', 'nothing is reassembled: a checksum over fragments is not verified',
		lambda c: c.kind == 'fragments sum'),
	('fragments answered', 'nothing is reassembled: an error quotes the first fragment, not the whole datagram',
		lambda c: c.kind.startswith('fragments') and c.made),
	('longer than UDP says', 'RFC 768, requirement C8: the checksum covers what UDP counts, for the kernel all of IP\'s',
		lambda c: c.kind == 'udp less'),
	('errors are limited', 'ICMP errors: 6 at once to a destination, then one a second (RFC 4443 2.4 f)',
		lambda c: c.limited),
	('data not summed', 'HACKING, Flows: data of an established flow are not checksummed',
		lambda c: c.kind in ('tcp sum', 'udp sum', 'protocol 136')),
	('short quotes', 'an error must quote 8 bytes of transport (RFC 792, RFC 5508 4.2, requirement I12), the kernel '
		'does with 4', lambda c: c.kind == 'error short'),
	('quoted checksum', 'requirement I3: an error whose quoted IP header has a wrong checksum is none',
		lambda c: c.kind == 'error quoted sum'),
	('source quench and redirects', 'RFC 6633, requirement X6: they are no errors to pass on',
		lambda c: c.step.what.startswith(('error 4/0', 'error 5/')) and c.v4),
	('outside addresses', 'requirement U8: what comes for an outside address of ours and belongs to no mapping is not '
		'routed on', lambda c: not c.ours and c.to_own and all(port == c.port for port, _ in c.kernel)),
	('not summed', 'requirement I3: NAT will write into errors, so their checksums always count',
		lambda c: c.policy == 'unsummed' and c.kind in ('error sum', 'icmp sum')),
	('protocols without ports by our own address', 'XDP knows what is for NAT by ports: an answer of another protocol to '
		'an address of the router is for Linux', lambda c: c.to_own and c.is_other),
	('invalid, and out of hops', 'HACKING, Flows: an invalid packet is never forwarded where there is NAT, so nobody '
		'is told that it went too far', lambda c: c.policy in ('snat', 'dnat') and c.made and not c.ours and
			c.ttl == 1 and (c.improper or not c.step.learn or c.step.end == 1 or c.kind.startswith('icmp'))),
	('quoted by a refusal', 'an error quotes the packet as it came (RFC 1812 4.3.2.3), the kernel one hop later',
		lambda c: c.made and c.ours and c.same_but_quoted_ttl),
	('from our own address', 'decision D4: nobody else may use an address of the router',
		lambda c: c.from_own and not c.ours),
	('fragments of what is invalid', 'of a datagram whose first fragment made no flow the others are dropped',
		lambda c: c.kind.startswith('fragments') and c.state('kernel') == 'invalid'),
	('about a redirect', 'RFC 4443 2.4 e: no error about a redirect',
		lambda c: c.step.what.startswith('icmp') and 'type 137' in c.step.what and not c.ours),
	('ports chosen', 'a port that cannot be kept is chosen at random', lambda c: c.policy in ('snat', 'dnat') and c.same_but_port),
	('the time', 'what Linux itself answers to a timestamp request',
		lambda c: c.to_own and c.step.what.startswith('icmp') and 'type 13' in c.step.what),
	('errors about Linux\'s own traffic', 'what a host sends to the router itself has no flow here, so no error is about it',
		lambda c: c.kind.startswith('error') and not c.ours and c.talk.hosts[1][0] in c.own),
	('who says it went too far', 'an error of ours comes from an address of ours; the kernel has it come from what was '
		'translated', lambda c: c.policy == 'dnat' and c.made and c.ours and c.to_own),
	('clashes', 'requirement X7: who matches no rule is not translated because of a clash; we drop it',
		lambda c: c.policy in ('snat', 'dnat') and not c.ours and c.source_port_moved),
	('notrack of one direction', 'a flow that is tracked stays so: what a rule of raw does not track, but answers it, '
		'makes it replied', lambda c: c.policy == 'firewall' and c.talk.hosts[1][1] == NOTRACK),
	('more than the window', 'the kernel lets by what exceeds the window by less than a window; requirement C3 does not',
		lambda c: c.improper and c.kernel and c.state('ours') in ('invalid', 'dropped')),
	('improper TCP', 'where net/tcp.c says that it departs from the table: unanswered resets are remembered, a SYN far '
		'below the last one begins anew, a challenge while opening, both opening at once',
		lambda c: c.improper),
]

# The port that policy firewall does not track.
NOTRACK = 33434

# The most that a row may explain, as a part of all packets.
AT_MOST = {'more than the window': .02, 'improper TCP': .02}
