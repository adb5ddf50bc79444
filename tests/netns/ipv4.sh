#!/bin/bash
# tests/netns/ipv4.sh: corners of IPv4 as hosts see them: broadcasts, martians, options, redirects, links
# of two addresses and of one, and what is told when many ask at once.
#   h1 -- p1 [router's namespace r] p2 -- h2
#                                   p3 -- h3
. "$(dirname "$0")/../lib.sh"

# host N SUBNET: h<N> is SUBNET.2 on port p<N> of the router, which is SUBNET.1.
host()
{
	ns_add "h$1" && veth r "p$1" "h$1" e0 || return
	ip -n r addr add "$2.1/24" brd + dev "p$1" && ip -n "h$1" addr add "$2.2/24" brd + dev e0 || return
	ip -n "h$1" route add default via "$2.1"
}

mac()
{
	ip -n "$1" -j link show "$2" | json - "d[0]['address'].replace(':', '')"
}

# conf KEYS ROUTING [PORT...]: what the file says of the three ports, of routing, and other ports.
conf()
{
	printf 'version: 1\nrouter: { workers: { count: 2 } }\nrouting: { icmp-errors: { rate: 1000 }%s }\ninterfaces:\n' "${2:+, $2}"
	printf '  p%d: { %s }\n' 1 "$1" 2 "$1" 3 "$1"
	[ $# -lt 3 ] || printf '  %s\n' "${@:3}"
}

reloaded()
{
	conf "$@" > "$CONF" && ctl reload
}

ns_add r
host 1 192.0.2 && host 2 198.51.100 && host 3 198.51.200
for n in r h1 h2 h3; do
	ns $n sysctl -qw net.ipv4.icmp_echo_ignore_broadcasts=0 net.ipv4.icmp_ratelimit=0
done
conf "" "" > "$T/first.yaml"
router_start "$T/first.yaml"
for i in 198.51.100.2 198.51.200.2; do
	check "h1 reaches $i" eventually 5 ns h1 ping -q -c 1 -W 1 $i
done

note "directed broadcasts: the sixteen expectations of the kernel's router_broadcast.sh (F6)"
# broadcast WHAT NS TO FROM: who answers a ping of NS to everybody, but for itself.
broadcast()
{
	local got self
	self=$(ip -n "$2" -j addr show e0 | json - "d[0]['addr_info'][0]['local']")
	got=$(ns "$2" ping -n -b -c 2 -i 0.1 -W 0.3 "$3" 2> /dev/null |
		sed -n 's/.*bytes from \([0-9.]*\):.*/\1/p' | grep -vFx "$self" | sort -u)
	is "$1" "$got" "$4"
}

broadcast "off: h1 to net 2: the router" h1 198.51.100.255 192.0.2.1
broadcast "off: h1 to net 3: the router" h1 198.51.200.255 192.0.2.1
broadcast "off: h1 to its own net: the router" h1 192.0.2.255 192.0.2.1
broadcast "off: h1 to all: the router" h1 255.255.255.255 192.0.2.1
broadcast "off: h2 to net 1: the router" h2 192.0.2.255 198.51.100.1
broadcast "off: h2 to net 3: the router" h2 198.51.200.255 198.51.100.1
broadcast "off: h2 to its own net: the router" h2 198.51.100.255 198.51.100.1
broadcast "off: h2 to all: the router" h2 255.255.255.255 198.51.100.1
check "they are switched on" reloaded "directed-broadcast: true" ""
broadcast "on: h1 to net 2: h2" h1 198.51.100.255 198.51.100.2
broadcast "on: h1 to net 3: h3" h1 198.51.200.255 198.51.200.2
broadcast "on: h1 to all: the router" h1 255.255.255.255 192.0.2.1
# The kernel drops these two, because whoever has switched it on forwards instead of listening.
broadcast "on: h1 to its own net: the router" h1 192.0.2.255 192.0.2.1
broadcast "on: h2 to its own net: the router" h2 198.51.100.255 198.51.100.1
broadcast "on: h2 to net 1: h1" h2 192.0.2.255 192.0.2.2
broadcast "on: h2 to net 3: h3" h2 198.51.200.255 198.51.200.2
broadcast "on: h2 to all: the router" h2 255.255.255.255 198.51.100.1
# frame FROM-MAC TO-MAC SRC[,SRC...] DST [TTL]: UDP datagrams to port 9 that say "ipv4.sh", as hex digits.
cat > "$T/frame.py" << 'END'
import socket, struct, sys
smac, dmac, sources, dst, ttl = sys.argv[1:6]
def total(b):
	s = sum(struct.unpack('!%dH' % (len(b) // 2), b))
	s = (s & 0xffff) + (s >> 16)
	return ~((s & 0xffff) + (s >> 16)) & 0xffff
for src in sources.split(','):
	h = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 36, 7, 0, int(ttl), 17, 0, socket.inet_aton(src), socket.inet_aton(dst))
	h = h[:10] + struct.pack('!H', total(h)) + h[12:]
	print(dmac + smac + '0800' + (h + struct.pack('!HHHH', 5, 9, 16, 0) + b'ipv4.sh\0').hex())
END
frame()
{
	/usr/bin/python3 "$T/frame.py" "$1" "$2" "$3" "$4" "${5:-64}"
}
wire=(/usr/bin/python3 "$lib_top/tests/tools/wire.py")
h1=$(mac h1 e0) p1=$(mac r p1)

note "the router itself, by whichever of its addresses (F2, F14, F16)"
for to in 192.0.2.1 198.51.100.1 198.51.200.1; do
	is "$to answers as itself" "$(ns h1 ping -n -c 1 -W 1 $to | grep -o 'bytes from [0-9.]*')" "bytes from $to"
done
check "with no hop to spare" ns h1 ping -q -c 1 -W 1 -t 1 198.51.100.1
check "to the longest question" ns h1 ping -q -c 1 -W 1 -s 65507 198.51.100.1

note "martians are dropped, and one of them is in the log (F4)"
# martian SRC DST REASON
martian()
{
	local before
	before=$(drops "$3")
	ns h1 "${wire[@]}" send e0 "$(frame "$h1" "$p1" "$1" "$2")"
	sleep 0.1
	is "$1 to $2: $3" "$(drops "$3")" $((before + 1))
}
martian 127.0.0.1 198.51.100.2 martian-source
martian 198.51.200.255 198.51.100.2 martian-source
martian 192.0.2.255 198.51.100.2 martian-source
martian 0.0.0.0 198.51.100.2 martian-source
martian 198.51.100.1 198.51.100.2 source-ours
martian 192.0.2.2 127.1.2.3 martian-dest
is "one line in the log" "$(grep -c 'p1: source address that may not be routed: src=127.0.0.1 dst=198.51.100.2 mac=' \
	"$(lib_log)") $(grep -c 'mac=' "$(lib_log)")" "1 1"
ip -n h2 addr add 240.0.0.1/32 dev lo
ip -n r route add 240.0.0.0/8 via 198.51.100.2
check_not "class E is not reached" ns h1 ping -q -c 1 -W 0.3 240.0.0.1
check "martians are allowed" reloaded "directed-broadcast: true" "martians: allow"
check "class E is reached (D3)" eventually 3 ns h1 ping -q -c 1 -W 1 240.0.0.1

note "a frame to all for one host: neither forwarded nor answered (F6, F10)"
ns_bg h2 "${wire[@]}" see e0 > "$T/seen2"
see2=$!
ns_bg h1 "${wire[@]}" see e0 > "$T/seen1"
see1=$!
check "they listen" eventually 5 sh -c "grep -q ready '$T/seen1' && grep -q ready '$T/seen2'"
ns h1 "${wire[@]}" send e0 "$(frame "$h1" ffffffffffff 192.0.2.2 198.51.100.2)" \
	"$(frame "$h1" 01005e000001 192.0.2.2 198.51.100.2)" "$(frame "$h1" ffffffffffff 192.0.2.2 198.51.100.2 1)"
sleep 0.2
is "h1 heard nothing of them" "$(grep -c 697076342e7368 "$T/seen1")" 0
ns h1 "${wire[@]}" send e0 "$(frame "$h1" "$p1" 192.0.2.2 198.51.100.2)"
check "one for the router's address comes" eventually 3 grep -q 697076342e7368 "$T/seen2"
is "and no other" "$(grep -c 697076342e7368 "$T/seen2")" 1
kill $see1 $see2

note "options: the way and the time (F7)"
is "record route: both ways" "$(ns h1 ping -n -R -c 1 -W 2 198.51.100.2 | sed -n '/RR:/,/^$/p' |
	grep -oE '[0-9.]{7,}' | tr '\n' ' ')" "192.0.2.2 198.51.100.1 198.51.100.2 198.51.100.2 192.0.2.1 192.0.2.2 "
is "timestamps with addresses" "$(ns h1 ping -n -T tsandaddr -c 1 -W 2 198.51.100.2 | sed -n '/TS:/,/^$/p' |
	grep -oE '[0-9]+\.[0-9.]+' | head -3 | tr '\n' ' ')" "192.0.2.2 198.51.100.1 198.51.100.2 "
# h1, the router and h2 have the same clock
is "the router's clock is right" "$(ns h1 ping -n -T tsonly -c 1 -W 2 198.51.100.2 | sed -n '/TS:/,/^$/p' |
	grep -cE '^[[:space:]]+-?[0-9]{1,2}( |$)')" 5

note "10,000 packets a second with TTL 1, from 100 hosts (F11)"
for i in $(seq 101 200); do echo "addr add 192.0.2.$i/24 dev e0"; done | ip -n h1 -batch -
cat > "$T/flood.py" << 'END'
import socket, subprocess, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
s.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
s.bind(('e0', 0x0800))
s.setblocking(False)
frames = [bytes.fromhex(f) for f in sys.stdin.read().split()]
told, begin = {}, time.monotonic()
def hear():
	try:
		while True:
			p, a = s.recvfrom(2048)
			if a[2] != 4 and p[23] == 1 and p[34] == 11:
				told[p[30:34]] = told.get(p[30:34], 0) + 1
	except BlockingIOError:
		pass
for i in range(10000):
	s.send(frames[i % len(frames)])
	if i % 20 == 0:
		hear()
		time.sleep(max(0, begin + i / 10000 - time.monotonic()))
took = time.monotonic() - begin
time.sleep(0.2)
hear()
total = sum(told.values())
print(len(told), min(told.values()), max(told.values()) <= 6 + took + 1, total <= 50 + 1000 * (took + 0.2), file=sys.stdout)
print('%d errors in %.1f s' % (total, took), file=sys.stderr)
END
ns h1 ping -q -c 1 -W 1 192.0.2.1 > "$T/log"
ns_bg h3 ping -q -c 70 -i 0.02 -W 1 198.51.100.2 > "$T/others"
others=$!
sleep 0.3
got=$(frame "$h1" "$p1" "$(seq -s , -f '192.0.2.%g' 101 200)" 198.51.100.2 1 | ns h1 /usr/bin/python3 "$T/flood.py" 2>> "$T/log")
is "each host is told, none too often, all together not too much" "${got/ [1-9]/ some}" "100 some True True"
wait $others
is "others do not notice" "$(grep -oE '[0-9.]+% packet loss' "$T/others")" "0% packet loss"

note "links of two addresses, and of one (F17, RFC 3021)"
ns_add x y
veth r px x e0 && veth r py y e0
ip -n r addr add 10.9.9.0/31 dev px && ip -n x addr add 10.9.9.1/31 dev e0
ip -n r addr add 10.8.8.1/32 peer 10.8.8.2/32 dev py && ip -n y addr add 10.8.8.2/32 peer 10.8.8.1/32 dev e0
ip -n x route add default via 10.9.9.0 && ip -n y route add default via 10.8.8.1
check "their ports open" reloaded "" "" "px: {}" "py: {}"
check "/31" eventually 5 ns h1 ping -q -c 1 -W 1 10.9.9.1
check "/32" eventually 5 ns h1 ping -q -c 1 -W 1 10.8.8.2
check "from one to the other" ns x ping -q -c 1 -W 1 10.8.8.2

note "routes: the lower metric wins, a replaced one is never missing (F17)"
ip -n h2 addr add 203.0.113.1/32 dev lo && ip -n h3 addr add 203.0.113.1/32 dev lo
ip -n r route add 203.0.113.0/24 via 198.51.100.2 metric 5
check "a route" eventually 3 ns h1 ping -q -c 1 -W 1 203.0.113.1
ip -n r route add 198.51.200.0/24 via 198.51.100.2 metric 50
check "connected is better than static" ns h1 ping -q -c 3 -i 0.1 -W 1 198.51.200.2
ip -n r route del 198.51.200.0/24 metric 50
ns_bg h1 ping -q -c 1000 -i 0.002 -W 1 203.0.113.1 > "$T/replaced"
pinger=$!
for _ in $(seq 100); do
	ip -n r route replace 203.0.113.0/24 via 198.51.200.2 metric 5
	ip -n r route replace 203.0.113.0/24 via 198.51.100.2 metric 5
done
wait $pinger
is "replaced 200 times, none lost" "$(grep -oE '[0-9.]+% packet loss' "$T/replaced")" "0% packet loss"

note "what a link was is gone at once (F22)"
ns_bg h3 "${wire[@]}" see e0 > "$T/seen3"
see3=$!
check "h3 listens" eventually 5 grep -q ready "$T/seen3"
ip -n r link set p3 address 02:00:5e:00:53:03
check "with another MAC address" eventually 5 ns h1 ping -q -c 1 -W 1 198.51.200.2
check "packets come from that one" sh -c "grep -v ready '$T/seen3' | tail -1 | grep -q '^............02005e005303'"
: > "$T/seen3"
ip -n r addr del 198.51.200.1/24 dev p3
check "without the address there is no way" eventually 3 sh -c \
	"nsenter --net=/run/netns/h1 ping -n -c 1 -W 1 198.51.200.2 | grep -q 'From 192.0.2.1 .*Destination Net Unreachable'"
is "and nothing more comes to h3" "$(: > "$T/seen3"; ns h1 ping -q -c 3 -i 0.1 -W 0.3 198.51.200.2 > "$T/log"
	grep -c 0800 "$T/seen3")" 0
kill $see3
ip -n r addr add 198.51.200.1/24 brd + dev p3
check "with it there is again" eventually 5 ns h1 ping -q -c 1 -W 1 198.51.200.2
ip -n r link set p3 down
check "nor while it is down" eventually 3 sh -c \
	"nsenter --net=/run/netns/h1 ping -n -c 1 -W 1 198.51.200.2 | grep -q 'From 192.0.2.1 .*Destination Net Unreachable'"
ip -n r link set p3 up
check "and when it is up it goes on" eventually 5 ns h1 ping -q -c 1 -W 1 198.51.200.2

note "redirects (F12): g is a better router for c, on the same link"
ns_add c g sw
veth sw s0 r pc && veth sw s1 c e0 && veth sw s2 g e0 && ip -n sw link add name lan type bridge &&
	for i in s0 s1 s2; do ip -n sw link set $i master lan; done && ip -n sw link set lan up
host_addr r pc 10.7.7.1/24 2001:db8:7::1/64 && host_addr c e0 10.7.7.2/24 2001:db8:7::2/64 &&
	host_addr g e0 10.7.7.9/24 2001:db8:7::9/64 && host_addr g lo 10.66.0.1/32 2001:db8:66::1/128
ns c sysctl -qw net.ipv4.conf.all.accept_redirects=1 net.ipv4.conf.e0.accept_redirects=1 \
	net.ipv4.conf.all.secure_redirects=0 net.ipv6.conf.e0.accept_redirects=1
ip -n g addr add fe80::9/64 dev e0 nodad && ip -n r addr add fe80::7/64 dev pc nodad
ip -n c route add default via 10.7.7.1 && ip -n c -6 route add default via fe80::7 dev e0
ip -n r route add 10.66.0.0/16 via 10.7.7.9 && ip -n r -6 route add 2001:db8:66::/48 via fe80::9 dev pc
check "its port opens" reloaded "" "" "pc: { redirects: false }"
check "IPv4: by the router" eventually 5 ns c ping -q -c 1 -W 1 10.66.0.1
check "IPv6: by the router" eventually 5 ns c ping -q -c 1 -W 1 2001:db8:66::1
is "switched off, there are none" "$(ns c ip route get 10.66.0.1 | grep -c 'via 10.7.7.9') $(
	ns c ip -6 route get 2001:db8:66::1 | grep -c 'via fe80::9')" "0 0"
check "they are switched on" reloaded "" "" "pc: {}"
learned()
{
	ns c ping -q -c 1 -W 1 "$1" && ns c ip route get "$1" | grep "via $2 "
}
check "IPv4: c has learned" eventually 5 learned 10.66.0.1 10.7.7.9
check "IPv6: c has learned" eventually 5 learned 2001:db8:66::1 fe80::9
check_conservation
finish
