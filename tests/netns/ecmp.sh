#!/bin/bash
# tests/netns/ecmp.sh: two paths to one place. Flows are shared by weight, a flow keeps to its path
# as long as there is that path, and a path that is down carries none.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../paths.sh"

# Sends from a: N datagrams of SIZE bytes to each of COUNT ports, which makes as many flows.
cat > "$T/send.py" << 'EOF'
import socket, sys, time
to, count, n, size = sys.argv[1], *map(int, sys.argv[2:])
s = socket.socket(socket.AF_INET6 if ':' in to else socket.AF_INET, socket.SOCK_DGRAM)
if ':' not in to:
	s.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER, IP_PMTUDISC_DONT
for round in range(n):
	for port in range(10000, 10000 + count):
		s.sendto(bytes(size), (to, port))
		if port % 64 == 0:
			time.sleep(0.001)
EOF

# Watches in b until all came or SIGTERM: flows on each path, flows on both, packets.
cat > "$T/watch.py" << 'EOF'
import json, signal, socket, struct, sys
want, flows, packets = int(sys.argv[1]), {}, 0
s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
s.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
s.settimeout(3)
print('ready', file=sys.stderr, flush=True)
while packets < want:
	try:
		p, (dev, proto, *_) = s.recvfrom(2048)
	except TimeoutError:
		break
	if proto == 0x0800 and p[9] == 17:
		fragment = struct.unpack_from('!H', p, 6)[0] & 0x3fff
		key = p[4:6] if fragment else p[22:24]
	elif proto == 0x86dd and p[6] == 17:
		key = p[42:44]
	elif proto == 0x86dd and p[6] == 44 and p[40] == 17:
		key = p[44:48]
	else:
		continue
	packets += 1
	flows.setdefault(key, set()).add(dev)
paths = list(flows.values())
print(json.dumps({'b0': paths.count({'b0'}), 'b1': paths.count({'b1'}),
	'both': sum(len(p) > 1 for p in paths), 'packets': packets}))
EOF

# flows ADDR COUNT [N [SIZE [PACKETS]]]: leaves in $T/flows what b saw of the flows a sent.
flows()
{
	local n=${3:-1}
	: > "$T/watching"
	ns_bg b python3 "$T/watch.py" "${5:-$(($2 * n))}" > "$T/flows" 2> "$T/watching"
	local watcher=$!
	eventually 5 grep -q ready "$T/watching"
	ns a python3 "$T/send.py" "$1" "$2" "$n" "${4:-16}"
	wait $watcher
	cat "$T/flows"
}

# seen EXPR: over what the last flows() left, and the share of b0.
seen()
{
	cat "$T/flows"
	[ "$(json "$T/flows" "(lambda share: $1)(d['b0'] / max(1, d['b0'] + d['b1']))")" = true ]
}

# shared WHAT ADDR COUNT A B: COUNT flows are shared A to B, within 15 % of either's weight.
shared()
{
	flows "$2" "$3" 2 > "$T/seen"
	check "$1" seen "abs(share * ($4 + $5) / $4 - 1) < 0.15 and
		abs((1 - share) * ($4 + $5) / $5 - 1) < 0.15"
	check "$1: every packet came, every flow by one path" \
		seen "d['both'] == 0 and d['packets'] == 2 * $3"
}

all_by()
{
	flows "$2" 200
	seen "d['packets'] == 200 and d['$1'] == 200"
}

shared_again()
{
	flows "$1" 400
	seen "d['packets'] == 400 and 0.3 < share < 0.7"
}

# same_routes WHEN: the router's IPv4 routes of the main table, with their devices, are Linux's.
linux_routes()
{
	ip -n r -j route | json - "'\\n'.join(sorted(r['dst'] + ' ' + ' '.join(sorted(h['dev'] for h in
		r.get('nexthops', [r]) if 'dev' in h and 'dead' not in h.get('flags', []))) for r in d))"
}
our_routes()
{
	ctl_json "'\\n'.join(sorted(r['dst'].removesuffix('/32') + ' ' +
		' '.join(sorted(h['dev'] for h in r['nexthops'] if h['state'] != 'down'))
		for r in d if ':' not in r['dst']))" show routes
}
same()
{
	linux_routes > "$T/linux"
	our_routes > "$T/ours"
	diff "$T/linux" "$T/ours"
}
same_routes()
{
	check "$1: Linux and the router have the same routes" eventually 3 same
}

restarted()
{
	router_stop && router_spawn "$CONF" && router_wait
}

paths_topo 2
host_addr b lo 192.0.2.7/32 192.0.2.9/32

four() # [WEIGHT0 WEIGHT1]
{
	ip -n r route replace 192.0.2.1/32 nexthop via 10.0.2.2 dev wan0 weight "${1:-1}" \
		nexthop via 10.0.3.2 dev wan1 weight "${2:-1}"
}
six()
{
	ip -n r -6 route replace 2001:db8:f::/64 nexthop via 2001:db8:2::2 dev wan0 weight "${1:-1}" \
		nexthop via 2001:db8:3::2 dev wan1 weight "${2:-1}"
}
four
six
ip -n r nexthop add id 1 via 10.0.2.2 dev wan0
ip -n r nexthop add id 2 via 10.0.3.2 dev wan1
ip -n r nexthop add id 10 group 1/2
ip -n r route add 192.0.2.9/32 nhid 10
router_start - << 'EOF'
version: 1
interfaces: {lan0: {}, wan0: {}, wan1: {}}
EOF
for to in 10.0.2.2 10.0.3.2 192.0.2.9 2001:db8:2::2 2001:db8:3::2; do
	check "$to answers" eventually 5 ns a ping -q -c 1 -W 1 $to
done

note "equal paths"
shared "IPv4: flows are shared" 192.0.2.1 2000 1 1
shared "IPv6: flows are shared" 2001:db8:f::1 2000 1 1
shared "IPv4, a nexthop group: flows are shared" 192.0.2.9 2000 1 1
flows 192.0.2.1 100 3 4000 900 > "$T/seen"
check "IPv4: fragments of a datagram take one path" \
	seen "d['both'] == 0 and d['packets'] == 900 and d['b0'] + d['b1'] == 300"
flows 2001:db8:f::1 100 3 4000 900 > "$T/seen"
check "IPv6: fragments of a datagram take one path" \
	seen "d['both'] == 0 and d['packets'] == 900 and d['b0'] + d['b1'] == 300"

note "by addresses alone, but for one route"
one_path()
{
	flows "$1" 200
	seen "d['packets'] == 200 and 200 in (d['b0'], d['b1'])"
}
with_hash() # ALL ONE
{
	cat > "$CONF" << EOF
version: 1
interfaces: {lan0: {}, wan0: {}, wan1: {}}
routing:
  multipath: {hash: $1}
  routes:
    - {to: 192.0.2.7/32, hash: $2, nexthops: [{via: 10.0.2.2}, {via: 10.0.3.2}]}
EOF
	ctl reload
}
check "reload" with_hash l3 l4
for to in 192.0.2.1 192.0.2.9 2001:db8:f::1; do
	check "$to: ports make no difference" one_path $to
done
check "192.0.2.7: they do" eventually 3 shared_again 192.0.2.7
check "reload, the other way around" with_hash l4 l3
check "192.0.2.1: they do" shared_again 192.0.2.1
check "192.0.2.7: ports make no difference" one_path 192.0.2.7

note "weights"
four 3 1
six 3 1
ip -n r nexthop replace id 10 group 1,1/2,3
sleep 0.5
shared "IPv4: weights 3 to 1" 192.0.2.1 4000 3 1
shared "IPv6: weights 3 to 1" 2001:db8:f::1 4000 3 1
shared "IPv4, a nexthop group: weights 1 to 3" 192.0.2.9 4000 1 3

note "a path loses its carrier"
four
six
ip -n r nexthop replace id 10 group 1/2
sleep 0.5
ip -n b link set b1 down
for to in 192.0.2.1 192.0.2.9 2001:db8:f::1; do
	check "$to: all flows take the other path" eventually 4 all_by b0 $to
done
ip -n b link set b1 up
host_addr b b1 2001:db8:3::2/64
for to in 192.0.2.1 2001:db8:f::1; do
	check "$to: both paths again" eventually 20 shared_again $to
done
# Linux forgets nexthop objects on a link without carrier, and tells nobody
check "192.0.2.9: one path is left, as in Linux" all_by b0 192.0.2.9
same_routes "after a link without carrier"
ip -n r nexthop add id 2 via 10.0.3.2 dev wan1
ip -n r nexthop replace id 10 group 1/2
check "192.0.2.9: both paths again" eventually 20 shared_again 192.0.2.9

note "a path of ours is set down"
ip -n r link set wan0 down
ip -n b route replace 10.0.1.0/24 via 10.0.3.1
for to in 192.0.2.1 192.0.2.9 2001:db8:f::1; do
	check "$to: all flows take the other path" eventually 4 all_by b1 $to
done
same_routes "while an interface is down"
check "the router starts again while it is down" restarted
ip -n r link set wan0 up
host_addr r wan0 2001:db8:2::1/64 # Linux forgets those of an interface that was down
six
ip -n r nexthop add id 1 via 10.0.2.2 dev wan0
ip -n r nexthop replace id 10 group 1/2
for to in 192.0.2.1 192.0.2.9 2001:db8:f::1; do
	check "$to: both paths again" eventually 20 shared_again $to
done
same_routes "with both paths again"
ip -n r link set wan0 down
ip -n r link set wan1 down
same_routes "with no path at all"
ip -n r link set wan0 up
ip -n r link set wan1 up
ip -n r route replace 192.0.2.1/32 via 10.0.2.2
ip -n r addr del 10.0.2.1/24 dev wan0
same_routes "without an address"
check_conservation
finish
