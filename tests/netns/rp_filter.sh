#!/bin/bash
# tests/netns/rp_filter.sh: sources that may come in by an interface and those that may not, of both families:
# strict, loose, feasible, with and without connection tracking. Two links to the same far network.
. "$(dirname "$0")/../lib.sh"

# The far network 10.9.0.0/16, 2001:db8:9::/48 is behind a; b has a worse route to it; 10.8.0.0/16 and
# 2001:db8:8::/48 are behind both, as one route with two next hops; 10.7 and 2001:db8:7:: are a blackhole.
ns_add a r b
veth a a0 r lan0
veth r wan0 b b0
host_addr a a0 10.0.1.2/24 2001:db8:1::2/64
host_addr r lan0 10.0.1.1/24 2001:db8:1::1/64
host_addr r wan0 10.0.2.1/24 2001:db8:2::1/64
host_addr b b0 10.0.2.2/24 2001:db8:2::2/64
for i in 6 7 8 9; do
	host_addr a a0 10.$i.0.1/32 2001:db8:$i::1/128
	host_addr b b0 10.$i.0.2/32 2001:db8:$i::2/128
done
ip -n a route add default via 10.0.1.1
ip -n a -6 route add default via 2001:db8:1::1
ip -n b route add default via 10.0.2.1
ip -n b -6 route add default via 2001:db8:2::1
ip -n r route add 10.9.0.0/16 via 10.0.1.2 metric 10
ip -n r route add 10.9.0.0/16 via 10.0.2.2 metric 20
ip -n r route add 10.8.0.0/16 nexthop via 10.0.1.2 nexthop via 10.0.2.2
ip -n r route add blackhole 10.7.0.0/16
ip -n r route add default via 10.0.1.2
ip -n r -6 route add 2001:db8:9::/48 via 2001:db8:1::2 metric 10
ip -n r -6 route add 2001:db8:9::/48 via 2001:db8:2::2 metric 20
ip -n r -6 route add 2001:db8:8::/48 nexthop via 2001:db8:1::2 nexthop via 2001:db8:2::2
ip -n r -6 route add blackhole 2001:db8:7::/48
ip -n r -6 route add default via 2001:db8:1::2

cat > "$T/rp.py" << 'EOF'
"""rp FROM TO DST4 DST6 SRC...: a datagram of each SRC in one namespace to the other. y: it gets there; n: not."""
import ctypes, select, socket, sys
def bound(name, address, port):
	with open('/run/netns/' + name) as f:
		if ctypes.CDLL(None).setns(f.fileno(), 0):
			sys.exit('setns')
	s = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, socket.SOCK_DGRAM)
	s.bind((address, port))
	return s
here, there, *dst = sys.argv[1:5]
to, seen = [bound(there, d, 7000) for d in dst], set()
for src in sys.argv[5:]:
	bound(here, src, 7001).sendto(b'x', (dst[':' in src], 7000))
while ready := select.select(to, [], [], 0.2)[0]:
	seen |= {s.recvfrom(10)[1][0] for s in ready}
print(''.join('ny'[src in seen] for src in sys.argv[5:]))
EOF

# come_in WHAT NS WANT SRC...: y or n for each source, whether a datagram of it gets through from there.
come_in()
{
	local to=(b 10.0.2.2 2001:db8:2::2)
	[ "$2" = a ] || to=(a 10.0.1.2 2001:db8:1::2)
	is "$1" "$(python3 "$T/rp.py" "$2" "${to[@]}" "${@:4}")" "$3"
}

# shellcheck disable=SC2034 # try takes them by name
# their own, the far network's, the one's with two next hops, the blackhole's, the default route's
sources_a=(10.0.1.2 2001:db8:1::2 10.{9,8,7,6}.0.1 2001:db8:{9,8,7,6}::1) \
	sources_b=(10.0.2.2 2001:db8:2::2 10.{9,8,7,6}.0.2 2001:db8:{9,8,7,6}::2)

# conf LAN WAN: what the two interfaces say
conf()
{
	printf 'version: 1\ninterfaces:\n  lan0: {%s}\n  wan0: {%s}\n%s\n' "$1" "$2" "$tracked"
}

# try WHAT NS WANT LAN WAN
try()
{
	local -n sources=sources_$2
	conf "$4" "$5" > "$CONF"
	ctl reload > "$T/reload" || not_ok "it is loaded" "$(cat "$T/reload")"
	come_in "$1" "$2" "$3" "${sources[@]}"
}

tracked=
router_start - < <(conf '' '')
check "it forwards" eventually 5 ns a ping -q -c 1 -W 1 -I 10.0.1.2 10.0.2.2
check "IPv6 too" eventually 5 ns a ping -q -c 1 -W 1 -I 2001:db8:1::2 2001:db8:2::2
try "off: all of them" a yyyyyyyyyy '' ''
try "off, from the other side" b yyyyyyyyyy '' ''
try "strict: whom the best route leads to" a yyyynyyyny 'rp-filter: strict' ''
try "strict on the other side" b yynynnnynn '' 'rp-filter: strict'
try "feasible: by a route with a worse metric, too" b yyyynnyynn '' 'rp-filter: feasible'
try "feasible, but no other route" a yyyynyyyny 'rp-filter: feasible' ''
try "loose: any route but the default route" a yyyynnyynn 'rp-filter: loose' ''
try "loose, and the default route" a yyyynyyyny 'rp-filter: loose, rp-filter-default-route: true' ''
try "loose on the other side" b yyyynnyynn '' 'rp-filter: loose'
tracked='conntrack: {profile: linux}'
try "with connection tracking: off" b yyyyyyyyyy '' ''
try "with connection tracking: strict" b yynynnnynn '' 'rp-filter: strict'
try "with connection tracking: loose" a yyyynnyynn 'rp-filter: loose' ''
conf '' 'rp-filter: strict' > "$CONF"
check "strict again" ctl reload
before=$(drops rp-filter)
come_in "by the worse route" b nn 10.9.0.2 2001:db8:9::2
is "what was dropped is counted" $(($(drops rp-filter) - before)) 2
text=$(ctl explain in wan0 'udp 10.9.0.2:5 > 10.0.1.2:7')
check "explain says why" grep -q '^rp-filter *strict: packets to its source do not leave here' <<< "$text"
check "and by what name" grep -q '^verdict *dropped: rp-filter' <<< "$text"
ip -n r route del 10.9.0.0/16 via 10.0.1.2
ip -n r -6 route del 2001:db8:9::/48 via 2001:db8:1::2
come_in "when the best route goes, the other is the best" b yy 10.9.0.2 2001:db8:9::2
check_conservation
finish
