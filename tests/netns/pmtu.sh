#!/bin/bash
# tests/netns/pmtu.sh: a link of 1400 bytes behind the router. Who forbids fragments is told its MTU
# and TCP gets through; who allows them has IPv4 fragmented, and the host puts it together again.
. "$(dirname "$0")/../lib.sh"

# too_big WHAT WANT SIZE ADDR: a ping with SIZE bytes of data that may not be fragmented is answered
# by the router with WANT.
too_big()
{
	local got
	ns a ip route flush cache
	ns a ip -6 route flush cache
	got=$(ns a ping -n -c 1 -W 2 -M 'do' -s "$3" "$4" 2>&1)
	is "$1" "$(grep -oE '^From .*' <<< "$got" | sed 's/icmp_seq=1 //')" "$2"
}

# pmtu ADDR: what a learned of the path.
pmtu()
{
	ns a ip route get "$1" | grep -oE 'mtu [0-9]+'
}

# The payload of each datagram is its size and a pattern; b sends back the sum of what it got.
cat > "$T/echo.py" << 'EOF'
import hashlib, socket, sys
def data(n):
	return bytes((i * 7 + n) & 255 for i in range(n))
family = socket.AF_INET6 if ':' in sys.argv[2] else socket.AF_INET
s = socket.socket(family, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
if sys.argv[1] == 'serve':
	s.bind((sys.argv[2], 7000))
	print('ready', flush=True)
	while True:
		got, who = s.recvfrom(65535)
		s.sendto(hashlib.sha256(got).digest() + len(got).to_bytes(4, 'big'), who)
s.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER, IP_PMTUDISC_DONT
s.settimeout(2)
wrong = []
for n in map(int, sys.argv[3:]):
	s.sendto(data(n), (sys.argv[2], 7000))
	try:
		if s.recv(100) != hashlib.sha256(data(n)).digest() + n.to_bytes(4, 'big'):
			wrong.append('%d differs' % n)
	except TimeoutError:
		wrong.append('%d lost' % n)
print(', '.join(wrong))
sys.exit(len(wrong) > 0)
EOF

topo_three
ip -n r link set wan0 mtu 1400
ip -n b link set b0 mtu 1400
ns b sysctl -qw net.ipv4.icmp_ratelimit=0
router_start
check "it forwards" eventually 5 ns a ping -q -c 1 -W 1 10.0.2.2
check "IPv6 too" eventually 5 ns a ping -q -c 1 -W 1 2001:db8:2::2

note "who forbids fragments is told"
check "IPv4: 1400 bytes fit" ns a ping -q -c 1 -W 2 -M 'do' -s 1372 10.0.2.2
check "IPv6: 1400 bytes fit" ns a ping -q -c 1 -W 2 -M 'do' -s 1352 2001:db8:2::2
too_big "IPv4: one byte more does not" \
	"From 10.0.1.1 Frag needed and DF set (mtu = 1400)" 1373 10.0.2.2
is "IPv4: the host has learned it" "$(pmtu 10.0.2.2)" "mtu 1400"
too_big "IPv6: one byte more does not" \
	"From 2001:db8:1::1 Packet too big: mtu=1400" 1353 2001:db8:2::2
is "IPv6: the host has learned it" "$(pmtu 2001:db8:2::2)" "mtu 1400"
too_big "IPv4: the largest does not" \
	"From 10.0.1.1 Frag needed and DF set (mtu = 1400)" 1472 10.0.2.2
is "both kinds were counted" "$(drops too-big)" 3
path()
{
	ns a tracepath -n "$1" | awk '/pmtu/ { for (i = 1; i < NF; i++) if ($i == "pmtu") m = $(i + 1) }
		/reached/ { at = $2 } END { print m, at }'
}
ns a ip route flush cache
ns a ip -6 route flush cache
is "IPv4: tracepath finds it" "$(path 10.0.2.2)" "1400 10.0.2.2"
is "IPv6: tracepath finds it" "$(path 2001:db8:2::2)" "1400 2001:db8:2::2"

note "TCP finds its way"
ns_bg b iperf3 -s > "$T/iperf3.log" 2>&1
check "the server listens" eventually 5 sh -c \
	'nsenter --net=/run/netns/b ss -Hlnt sport = :5201 | grep .'
tcp()
{
	ns a timeout 20 iperf3 -J -n 20M -M 1460 "$@" > "$T/tcp.json" || { cat "$T/tcp.json"; return 1; }
	# its receiver stops counting when the sender says that it has sent it all
	[ "$(json "$T/tcp.json" 'd["end"]["sum_received"]["bytes"] > 10 << 20')" = true ]
}
for to in 10.0.2.2 2001:db8:2::2; do
	case $to in *:*) v=IPv6 ;; *) v=IPv4 ;; esac
	# b offers the segment size of a 1500-byte link, as a host behind one more router would
	ns b ip route change default via "$([ $v = IPv6 ] && echo 2001:db8:2::1 || echo 10.0.2.1)" \
		advmss 1440
	ns a ip route flush cache
	ns a ip -6 route flush cache
	before=$(drops too-big)
	check "$v: TCP to the small link gets through" tcp -c $to
	check "$v: and was told to send less" [ "$(drops too-big)" -gt "$before" ]
	is "$v: once known, it is kept to" "$(pmtu $to)" "mtu 1400"
	check "$v: TCP from the small link gets through" tcp -c $to -R
done

note "many destinations at once: nobody waits for his answer"
for i in $(seq 101 140); do
	host_addr b b0 "10.0.2.$i/24"
	eventually 5 ns a ping -q -c 1 -W 1 "10.0.2.$i" > "$T/seen" || not_ok "10.0.2.$i is there"
done
sleep 1
before=$(drops too-big)
for i in $(seq 101 140); do
	ns a ping -q -c 1 -W 1 -M 'do' -s 1472 "10.0.2.$i" > "$T/seen" 2>&1
done
is "40 packets were too big" $(($(drops too-big) - before)) 40
is "for all 40 the MTU was told" "$(for i in $(seq 101 140); do pmtu "10.0.2.$i"; done |
	grep -c 'mtu 1400')" 40

note "who allows fragments is not asked"
ns_bg b python3 "$T/echo.py" serve 10.0.2.2 > "$T/echo4" 2>&1
check "the echo server is ready" eventually 5 grep -q ready "$T/echo4"
before=$(drops too-big)
# 1372 + 28 fits; 1376 is the most a first fragment holds: 1380 rounded down to eights
check "sizes around the MTU" ns a python3 "$T/echo.py" ask 10.0.2.2 1 1371 1372 1373 1374 1379 1380 \
	1381 1471 1472
check "fragments fragmented again" ns a python3 "$T/echo.py" ask 10.0.2.2 1473 1480 2744 2745 2952 \
	2953 4096 8192 65507
is "and nobody was told to send less" "$(drops too-big)" "$before"
check "fragments were made" [ "$(ctl_json 'sum(r["packets"] for r in d
	if r["reason"] == "fragments")' show drops -s)" -gt 40 ]
is "b put all of them together" "$(ns b nstat -asz IpReasmFails | awk 'NR > 1 { print $2 }')" 0
check_conservation
finish
