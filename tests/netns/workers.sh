#!/bin/bash
# tests/netns/workers.sh: two workers. On ports with two queues each has its own; on ports with one
# queue they share what sends.
# check: thread
. "$(dirname "$0")/../lib.sh"

# Sends COUNT flows of N datagrams from one namespace to another and back, at once both ways; the
# datagrams of a flow are numbered. Prints what was lost and what came out of order.
cat > "$T/flows.py" << 'EOF'
import json, os, socket, sys, threading, time
to, count, n = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
family = socket.AF_INET6 if ':' in to else socket.AF_INET
any = '::' if ':' in to else '0.0.0.0'
server = socket.socket(family, socket.SOCK_DGRAM)
server.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
server.bind((any, 7000))
server.settimeout(2)
print('ready', file=sys.stderr, flush=True)
while not os.path.exists(sys.argv[4]):
	time.sleep(0.01)
def send():
	socks = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(count)]
	for s in socks:
		s.connect((to, 7000))
	for i in range(n):
		for s in socks:
			try:
				s.send(i.to_bytes(4, 'big'))
			except ConnectionRefusedError:
				pass
		time.sleep(0.002)
sender = threading.Thread(target=send)
sender.start()
last, packets, reordered = {}, 0, 0
while packets < count * n:
	try:
		data, who = server.recvfrom(100)
	except TimeoutError:
		break
	i = int.from_bytes(data, 'big')
	reordered += i <= last.get(who[1], -1)
	last[who[1]] = i
	packets += 1
sender.join()
print(json.dumps({'flows': len(last), 'packets': packets, 'reordered': reordered}))
EOF

# both_ways WHAT A B COUNT N: both sides must get every datagram, those of a flow in order.
both_ways()
{
	local want="{\"flows\": $4, \"packets\": $(($4 * $5)), \"reordered\": 0}" pid n
	rm -f "$T/go"
	ns_bg a python3 "$T/flows.py" "$3" "$4" "$5" "$T/go" > "$T/a" 2> "$T/a.ready"
	pid=$!
	ns_bg b python3 "$T/flows.py" "$2" "$4" "$5" "$T/go" > "$T/b" 2> "$T/b.ready"
	for n in a b; do
		eventually 10 grep -q ready "$T/$n.ready" || not_ok "$n is ready"
	done
	touch "$T/go"
	wait $pid $!
	is "$1: a got all, in order" "$(cat "$T/a")" "$want"
	is "$1: b got all, in order" "$(cat "$T/b")" "$want"
}

bulk()
{
	local v=IPv4
	[[ $1 != *:* ]] || v=IPv6
	check "$v: eight TCP streams" eventually 10 ns a timeout 20 iperf3 -t 1 -P 8 -c "$1"
	check "$v: eight back" eventually 10 ns a timeout 20 iperf3 -t 1 -P 8 -R -c "$1" # the server may be busy yet
}

worked()
{
	ctl -j show workers
	[ "$(ctl_json "all(r['rx_packets'] > $1 for r in d) and len(d) == 2" show workers)" = true ]
}

# veth picks the queue of its peer by the sender's: a host with two sends by the flow's hash.
run()
{
	router_start - <<- 'EOF'
	version: 1
	router: {workers: {count: 2}}
	interfaces: {lan0: {}, wan0: {}}
	EOF
	check "it forwards" eventually 5 ns a ping -q -c 1 -W 1 10.0.2.2
	check "IPv6 too" eventually 5 ns a ping -q -c 1 -W 1 2001:db8:2::2
	both_ways "IPv4, 64 flows" 10.0.1.2 10.0.2.2 64 100
	both_ways "IPv6, 64 flows" 2001:db8:1::2 2001:db8:2::2 64 100
	ns_bg b iperf3 -s > "$T/iperf3.log" 2>&1
	server=$!
	check "the server listens" eventually 5 sh -c \
		'nsenter --net=/run/netns/b ss -Hlnt sport = :5201 | grep .'
	bulk 10.0.2.2
	bulk 2001:db8:2::2
	kill $server
	check "both workers had their share" worked 1000
	check_conservation
	check "it stops" router_stop
}

note "two queues a port"
topo_three 2
run

note "one queue a port: each direction has a worker, and both send"
for n in a r b; do
	ip netns del $n
done
topo_three 1
run
finish
