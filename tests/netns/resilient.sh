#!/bin/bash
# tests/netns/resilient.sh: a resilient nexthop group over three paths, under traffic. Of a member
# that goes, however it goes, the flows find another way and no other flow moves; one that comes
# back waits until a bucket is idle. With and without connection tracking. F18.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../paths.sh"

flows=300 pps=3000 phase=0
all=$((flows * 8)) # packets: eight rounds of all flows

# send.py FLOWS PPS PHASE: eight rounds of a datagram of each flow, evenly.
cat > "$T/send.py" << 'EOF'
import socket, sys, time
flows, pps, phase = map(int, sys.argv[1:])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
begin, sent = time.monotonic(), 0
for r in range(8):
	for port in range(10000, 10000 + flows):
		s.sendto(bytes([phase] * 16), ('192.0.2.1', port))
		sent += 1
		while sent / pps > time.monotonic() - begin:
			time.sleep(0.0005)
EOF

# watch.py HALF PHASE: in b until half a second is silent: for each flow the paths it took, in order.
# Says when it has seen half of all packets. What a link held back while it was down comes in another
# phase.
cat > "$T/watch.py" << 'EOF'
import json, socket, sys
paths, packets = {}, 0
s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
s.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
s.settimeout(5)
print('ready', file=sys.stderr, flush=True)
while True:
	try:
		p, (dev, *_) = s.recvfrom(2048)
	except TimeoutError:
		break
	if p[9] != 17 or p[28] != int(sys.argv[2]):
		continue
	s.settimeout(0.5)
	packets += 1
	if packets == int(sys.argv[1]):
		print('half', file=sys.stderr, flush=True)
	ways = paths.setdefault(int.from_bytes(p[22:24], 'big'), [])
	if not ways or ways[-1] != dev:
		ways.append(dev)
print(json.dumps({'packets': packets, 'paths': paths}))
EOF

# during CMD...: sends, does this half way, and leaves in $T/came what b saw.
during()
{
	local watcher sender
	phase=$((phase + 1))
	: > "$T/watching"
	ns_bg b python3 "$T/watch.py" $((all / 2)) $phase > "$T/came" 2> "$T/watching"
	watcher=$!
	eventually 5 grep -q ready "$T/watching" > /dev/null
	ns_bg a python3 "$T/send.py" $flows $pps $phase
	sender=$!
	eventually 5 grep -q half "$T/watching" > /dev/null
	"$@"
	wait $sender $watcher
}

# seen EXPR: of all flows, b1 began on that path; moved are those that left it for another; astray
# is whatever else changed; after ended on it.
seen()
{
	json "$T/came" "(lambda w: {'packets': d['packets'], 'flows': len(w),
		'b1': sum(x[0] == 'b1' for x in w), 'after': sum(x[-1] == 'b1' for x in w),
		'moved': sum(len(x) == 2 and x[0] == 'b1' for x in w),
		'astray': sum(len(x) > 1 and (len(x) > 2 or x[0] != 'b1') for x in w)})(
		list(d['paths'].values()))" > "$T/sum"
	cat "$T/sum"
	[ "$(json "$T/sum" "$1")" = true ]
}

paths_topo 3
for i in 0 1 2; do
	ip -n r nexthop add id $((i + 1)) via 10.0.$((i + 2)).2 dev wan$i
done

members()
{
	ip -n r nexthop replace id 10 group "$1" type resilient buckets 128 idle_timer 1
}
members 1/2/3
ip -n r route add 192.0.2.1/32 nhid 10

# balanced: member 2 has a third of the buckets.
balanced()
{
	[ "$(ctl_json "[42 <= m['buckets'] <= 43 for r in d if r['id'] == 10
		for m in r['hop'] if m['id'] == 2]" show nexthops)" = "[true]" ]
}
reachable()
{
	[ "$(ctl_json "all(h['state'] == 'reachable' for r in d if r['dst'] == '192.0.2.1/32'
		for h in r['nexthops'])" show routes)" = true ]
}

member()
{
	ip -n r nexthop add id 2 via 10.0.3.2 dev wan1 && members 1/2/3
}
fails() # and goes on failing, though Linux is made to ask again and again
{
	ip -n b link set b1 arp off
	ip -n r neigh replace 10.0.3.2 dev wan1 nud failed
}
answers()
{
	ip -n b link set b1 arp on
	eventually 5 ns r ping -q -c 1 -W 1 10.0.3.2
}
carrier()
{
	ip -n b link set b1 up && sleep 0.2 && member
}

# lost WHAT PACKETS CMD...: member 2 goes by this command, under traffic that loses no more.
lost()
{
	check "$1: member 2 has its share" eventually 4 balanced
	during "${@:3}"
	check "$1: its flows move, and no others" \
		seen "d['astray'] == 0 and d['moved'] == d['b1'] and 60 < d['b1'] < 140"
	check "$1: at most $2 packets of $all are lost" \
		seen "d['flows'] == $flows and d['packets'] >= $all - $2"
}

# back WHAT CMD...: it is there again, but all buckets are in use.
back()
{
	during "${@:2}"
	check "$1, over: none moves while it is used" seen "d['astray'] == 0 and d['after'] == 0"
}


router_start - << 'EOF'
version: 1
interfaces: {lan0: {}, wan0: {}, wan1: {}, wan2: {}}
EOF
check "neighbours are known" eventually 5 reachable
lost "left the group" 0 members 1/3
back "left the group" members 1/2/3
lost "neighbour failed" 0 fails
back "neighbour failed" answers
lost "no carrier" 100 ip -n b link set b1 down
back "no carrier" carrier
cat > "$CONF" << 'EOF'
version: 1
interfaces: {lan0: {}, wan0: {}, wan1: {}, wan2: {}}
zones:
  lan: {interfaces: [lan0], forward-to: [wan]}
  wan: {interfaces: [wan0, wan1, wan2], forward-to: []}
EOF
check "a reload, and flows are tracked" ctl reload
lost "tracked, deleted" 0 ip -n r nexthop del id 2
back "tracked, deleted" member
lost "tracked, neighbour failed" 0 fails
back "tracked, neighbour failed" answers
check "idle buckets move" eventually 4 balanced
check_conservation
finish
