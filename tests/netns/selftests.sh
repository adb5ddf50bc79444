#!/bin/bash
# tests/netns/selftests.sh: what the kernel's own tests of forwarding (tools/testing/selftests/net and
# net/forwarding) expect of a router, asked of ours in their order and by their names; the addresses are theirs,
# too. Not here is what another script has: router_broadcast.sh in ipv4.sh, the rest of multipath in ecmp.sh and
# resilient.sh, fib_rule_tests.sh in rules.sh, fib-onlink-tests.sh in nexthop.sh, pmtu.sh in pmtu.sh.
#   h1 -- p1 [router's namespace r] p2 -- e0 [h2]      and later hosts around r that one test needs
#                                   p3 -- e1
# check: heavy
. "$(dirname "$0")/../lib.sh"
wire=(/usr/bin/python3 "$lib_top/tests/tools/wire.py")

route() { ip -n r route "$@"; }
route6() { ip -n r -6 route "$@"; }
object() { ip -n r nexthop "$@"; }

mac()
{
	ip -n "$1" -j link show "$2" | json - "d[0]['address'].replace(':', '')"
}

# ports DEV...: what the file says, with these interfaces.
ports()
{
	printf 'version: 1\nrouting: { martians: allow, icmp-errors: { rate: 10000, burst: 1000 } }\ninterfaces:\n'
	printf '  %s: {}\n' "$@"
}

reloaded()
{
	ports "$@" > "$CONF" && ctl reload
}

# reach NS ADDR, miss NS ADDR: until an answer comes, until none comes.
reach()
{
	eventually 5 ns "$1" ping -q -c 1 -W 1 "$2"
}

missed()
{
	! ns "$1" ping -q -c 2 -i 0.05 -W 0.2 "$2"
}

miss()
{
	eventually 5 missed "$@"
}

ns_add r h1 h2
veth r p1 h1 e0 && veth r p2 h2 e0 && veth r p3 h2 e1
host_addr r p1 192.0.2.1/24 2001:db8:1::1/64 && host_addr h1 e0 192.0.2.2/24 2001:db8:1::2/64
host_addr r p2 198.51.100.1/24 2001:db8:2::1/64 fe80:2::12/64
host_addr h2 e0 198.51.100.2/24 2001:db8:2::2/64 fe80:2::22/64
host_addr r p3 169.254.3.13/24 fe80:3::13/64 && host_addr h2 e1 169.254.3.23/24 fe80:3::23/64
host_addr h2 lo 203.0.113.1/32 2001:db8:113::1/128 # what h2 has beyond its links: "net 113"
ip -n h1 route add default via 192.0.2.1 && ip -n h1 -6 route add default via 2001:db8:1::1
ip -n h2 route add default via 198.51.100.1 && ip -n h2 -6 route add default via 2001:db8:2::1
for n in r h1 h2; do
	ns $n sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv4.conf.all.rp_filter=0 \
		net.ipv6.conf.all.keep_addr_on_down=1
done
ns h2 sysctl -qw net.ipv4.conf.e0.rp_filter=0 net.ipv4.conf.e1.rp_filter=0
ports p1 p2 p3 > "$T/first.yaml"
router_start "$T/first.yaml"

note "forwarding/router.sh"
check "IPv4" reach h1 198.51.100.2
check "IPv6" reach h1 2001:db8:2::2
# datagrams TO-MAC FROM-MAC SRC DST: five of them that say "selftest", with 10 hops left, as hex digits.
cat > "$T/datagrams.py" << 'END'
import socket, struct, sys
def total(b):
	s = sum(struct.unpack('!%dH' % (len(b) // 2), b))
	s = (s & 0xffff) + (s >> 16)
	return ~((s & 0xffff) + (s >> 16)) & 0xffff
six = ':' in sys.argv[4]
src, dst = (socket.inet_pton(socket.AF_INET6 if six else socket.AF_INET, a) for a in sys.argv[3:])
udp = struct.pack('!HHHH', 54321, 12345, 16, 0) + b'selftest'
udp = udp[:6] + struct.pack('!H', total(src + dst + struct.pack('!HH', 16, 17) + udp)) + udp[8:]
if six:
	head = struct.pack('!IHBB', 6 << 28, 16, 17, 10) + src + dst
else:
	head = struct.pack('!BBHHHBBH', 0x45, 0, 36, 7, 0, 10, 17, 0) + src + dst
	head = head[:10] + struct.pack('!H', total(head)) + head[12:]
print(*[sys.argv[1] + sys.argv[2] + ('86dd' if six else '0800') + (head + udp).hex()] * 5)
END
# sends NS TO-MAC SRC DST
sends()
{
	# shellcheck disable=SC2046 # a word a frame
	ns "$1" "${wire[@]}" send e0 $(/usr/bin/python3 "$T/datagrams.py" "$2" "$(mac "$1" e0)" "$3" "$4")
}
# come WHAT WANT: how many of them h2 has seen since it was last asked, by e0 and by e1, and h1.
come()
{
	sleep 0.2
	is "$1" "$(for i in h2-e0 h2-e1 h1-e0; do grep -c 73656c6674657374 "$T/seen-$i"; done | tr '\n' ' ')" "$2 "
	for i in h2-e0 h2-e1 h1-e0; do
		: > "$T/seen-$i"
	done
}
watchers=()
for i in h2-e0 h2-e1 h1-e0; do
	ns_bg "${i%-*}" "${wire[@]}" see "${i#*-}" >> "$T/seen-$i"
	watchers+=($!)
	check "$i is watched" eventually 5 grep -q ready "$T/seen-$i"
done
p1=$(mac r p1)
sends h1 "$p1" 240.0.0.1 198.51.100.2
come "a source in class E (D3)" "5 0 0"
sends h1 "$p1" 198.51.100.2 198.51.100.2
come "IPv4: from its destination (D4)" "5 0 0"
sends h1 "$p1" 2001:db8:2::2 2001:db8:2::2
come "IPv6: from its destination (D4)" "5 0 0"
route add 169.254.1.0/24 dev p2
ip -n r neigh add 169.254.1.1 lladdr "$(ip -n h2 -j link show e0 | json - "d[0]['address']")" dev p2
check "a link-local destination has a route" eventually 3 sh -c "'$B/routerctl' show routes | grep -q 169.254.1.0/24"
sends h1 "$p1" 192.0.2.2 169.254.1.1
come "a link-local destination (F4)" "5 0 0"

note "forwarding/router_multicast.sh: Linux's, by what mroute daemons tell it (F23)"
cat > "$T/mroute.py" << 'END'
import signal, socket, struct, sys
links = [socket.if_nametoindex(n) for n in sys.argv[1:]]
four = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IGMP)
six = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
INIT, ADD_VIF, ADD_MFC = 200, 202, 204
for s, level in (four, 0), (six, 41):
	s.setsockopt(level, INIT, struct.pack('i', 1))
for i, link in enumerate(links):
	four.setsockopt(0, ADD_VIF, struct.pack('HBBIiI', i, 8, 1, 0, link, 0))
	six.setsockopt(41, ADD_VIF, struct.pack('HBBHI', i, 0, 1, link, 0))
# from the first link to all others
address = lambda a: struct.pack('HHI16sI', 10, 0, 0, socket.inet_pton(socket.AF_INET6, a), 0)
ttls = bytes(0 < i < len(links) for i in range(32))
four.setsockopt(0, ADD_MFC, struct.pack('4s4sH32sIIIi', socket.inet_aton('192.0.2.2'),
	socket.inet_aton('225.1.2.3'), 0, ttls, 0, 0, 0, 0))
six.setsockopt(41, ADD_MFC, address('2001:db8:1::2') + address('ff0e::3') + struct.pack('H2x8I', 0,
	(1 << len(links)) - 2, *[0] * 7))
print('ready', flush=True)
signal.pause()
END
ns_bg r /usr/bin/python3 "$T/mroute.py" p1 p2 p3 > "$T/mroute"
mroute=$!
check "routes are there" eventually 5 grep -q ready "$T/mroute"
sends h1 01005e010203 192.0.2.2 225.1.2.3
come "IPv4: to both" "5 5 0"
sends h1 010203040506 192.0.2.2 225.1.2.3
come "IPv4: whatever its MAC address" "5 5 0"
sends h1 333300000003 2001:db8:1::2 ff0e::3
come "IPv6: to both" "5 5 0"
sends h1 010203040506 2001:db8:1::2 ff0e::3
come "IPv6: whatever its MAC address" "5 5 0"
sends h2 01005e010203 192.0.2.2 225.1.2.3
come "not from elsewhere" "0 0 0"
kill $mroute
wait $mroute 2> /dev/null
sends h1 01005e010203 192.0.2.2 225.1.2.3
come "nor without a route" "0 0 0"

note "forwarding/no_forwarding.sh: what is not for our MAC address, or not IP, stays on its link"
sends h1 "$(mac h2 e0)" 192.0.2.2 198.51.100.2
sends h1 ffffffffffff 192.0.2.2 198.51.100.2
sends h1 01005e000001 192.0.2.2 224.0.0.1
sends h1 333300000001 2001:db8:1::2 ff02::1
for i in "$p1" 010203040506 ffffffffffff; do
	ns h1 "${wire[@]}" send e0 "$i$(mac h1 e0)000a73656c6674657374"
done
come "nothing is seen" "0 0 0"
kill "${watchers[@]}"

note "neighbour discovery: Linux says that this is a router, if it is to"
for i in p1 p2 p3; do
	ns r sysctl -qw net.ipv6.conf.$i.forwarding=1
done
ip -n h1 -6 neigh flush dev e0
check "h1 asks again" reach h1 2001:db8:1::1
check "and is told that it is a router" sh -c "ip -n h1 -6 neigh show 2001:db8:1::1 dev e0 | grep -q ' router '"
check "all routers hear" ns h1 ping -q -c 1 -W 1 ff02::2%e0
check "the address of all routers on its link" reach h1 2001:db8:1::
check "and on another" reach h1 2001:db8:2::
check "it forwards" reach h1 2001:db8:2::2
route add local 10.66.0.1/32 dev lo
check "an address that only a route has" reach h1 10.66.0.1
route del local 10.66.0.1/32 dev lo

note "forwarding/router_nh.sh: both families by objects of IPv6 that are only a device"
ip -n r -6 nexthop add id 201 dev p1 && ip -n r -6 nexthop add id 202 dev p2
route replace 192.0.2.0/24 nhid 201 && route replace 198.51.100.0/24 nhid 202
route6 replace 2001:db8:1::/64 nhid 201 && route6 replace 2001:db8:2::/64 nhid 202
for i in 192.0.2.0/24 2001:db8:1::/64; do
	check "$i is by the object" eventually 3 sh -c "'$B/routerctl' show routes | grep -q '^$i .*active'"
done
check "IPv4" reach h1 198.51.100.2
check "IPv6" reach h1 2001:db8:2::2
route replace 192.0.2.0/24 dev p1 src 192.0.2.1 && route replace 198.51.100.0/24 dev p2 src 198.51.100.1
object flush > "$T/log"
check "and without them" reach h1 198.51.100.2

note "forwarding/router_mpath_nh.sh"
cat > "$T/spray.py" << 'END'
import socket, sys, time
dst, n = sys.argv[1], int(sys.argv[2])
s = socket.socket(socket.AF_INET6 if ':' in dst else socket.AF_INET, socket.SOCK_DGRAM)
for i in range(n):
	s.sendto(b'selftest', (dst, 1024 + i))
	if i % 64 == 63:
		time.sleep(0.0005)
END
received()
{
	for i in e0 e1; do
		ip -n h2 -s -j link show $i | json - 'd[0]["stats64"]["rx"]["packets"]'
	done | tr '\n' ' '
}
# share WHAT ADDR A B: flows to ADDR go by p2 and p3 in this ratio, within 15 %.
share()
{
	local x y x0 y0
	sleep 0.2
	read -r x0 y0 <<< "$(received)"
	ns h1 /usr/bin/python3 "$T/spray.py" "$2" 6000
	sleep 0.1
	read -r x y <<< "$(received)"
	check "$1: $3 to $4" /usr/bin/python3 -c "import sys; x, y = $x - $x0, $y - $y0; print(x, y)
sys.exit(not (x + y >= 6000 and y and abs(x * $4 / (y * $3) - 1) < 0.15))"
}
# one_link WHAT ADDR: all flows to ADDR go by p2; once the neighbours that they need are known.
one_link()
{
	local x x0
	ns h1 /usr/bin/python3 "$T/spray.py" "$2" 200
	sleep 0.1
	read -r x0 _ <<< "$(received)"
	ns h1 /usr/bin/python3 "$T/spray.py" "$2" 200
	sleep 0.1
	read -r x _ <<< "$(received)"
	check "$1" [ $((x - x0)) -ge 200 ]
}
ns h2 nft -f - << 'END'
table inet quiet {
	chain output {
		type filter hook output priority 0
		icmp type destination-unreachable drop
		icmpv6 type destination-unreachable drop
	}
}
END
object add id 101 via 198.51.100.2 dev p2 && object add id 102 via 169.254.3.23 dev p3
object add id 104 via fe80:2::22 dev p2 && object add id 105 via fe80:3::23 dev p3
object add id 103 group 101,11/102,45 && route add 203.0.113.0/24 nhid 103
object add id 106 group 104,2/105 && route6 add 2001:db8:113::/48 nhid 106
check "IPv4 reaches net 113" reach h1 203.0.113.1
check "IPv6 reaches net 113" reach h1 2001:db8:113::1
share "IPv4" 203.0.113.1 11 45
share "IPv6" 2001:db8:113::1 2 1
object replace id 101 via fe80:2::22 dev p2 && object replace id 102 via fe80:3::23 dev p3
share "IPv4 by gateways of IPv6" 203.0.113.1 11 45
object replace id 101 via 198.51.100.2 dev p2 && object replace id 102 via 169.254.3.23 dev p3
object add id 1001 blackhole && object add id 1002 group 1001
route replace 203.0.113.0/24 nhid 1001
check "a blackhole" miss h1 203.0.113.1
route replace 203.0.113.0/24 nhid 1002
check "a group of one" miss h1 203.0.113.1
route replace 203.0.113.0/24 nhid 103
check "and back" reach h1 203.0.113.1

note "forwarding/router_mpath_nh_res.sh"
object add id 203 group 101/102 type resilient buckets 512 idle_timer 0
route replace 203.0.113.0/24 nhid 203
share "a resilient group" 203.0.113.1 1 1
object replace id 203 group 101/102 type resilient idle_timer 120
object replace id 203 group 101,11/102,45 type resilient
share "other weights for idle buckets only" 203.0.113.1 1 1
object replace id 203 group 101,11/102,45 type resilient idle_timer 0
share "none is idle for less" 203.0.113.1 11 45

note "fib_nexthops.sh"
object replace id 1002 group 101/102 && route replace 203.0.113.0/24 nhid 1002
check "a group of a blackhole becomes one of gateways" reach h1 203.0.113.1
object replace id 1002 group 1001
check "and is one again" miss h1 203.0.113.1
route replace 203.0.113.0/24 nhid 1001 && object replace id 1001 via 198.51.100.2 dev p2
check "a blackhole becomes a gateway" reach h1 203.0.113.1
object replace id 1001 blackhole
check "and is one again" miss h1 203.0.113.1
object add id 107 group 101/102 && route replace 203.0.113.0/24 nhid 107 && object del id 102
check "a member leaves its group" reach h1 203.0.113.1
one_link "no flow is left behind" 203.0.113.1
object add id 102 dev p2 && object replace id 107 group 101/102
ip -n h2 addr add 203.0.113.2/24 dev e0
check "a gateway and a device" eventually 5 ns h1 ping -q -c 2 -i 0.1 -W 1 203.0.113.2
one_link "in one group" 203.0.113.2
ip -n h2 addr del 203.0.113.2/24 dev e0
ns r sysctl -qw net.ipv4.nexthop_compat_mode=0
object replace id 102 via 169.254.3.23 dev p3
share "told of objects, and no more of routes" 203.0.113.1 1 1
object replace id 107 group 101,3/102
share "weights likewise" 203.0.113.1 3 1
object replace id 106 group 104,3/105
share "IPv6 likewise" 2001:db8:113::1 3 1
object del id 107
check "a group goes, and its routes" miss h1 203.0.113.1
ns r sysctl -qw net.ipv4.nexthop_compat_mode=1
many=
for i in {1..32}; do
	ip -n h2 addr add 198.51.100.$((100 + i))/24 dev e0
	object add id $((300 + i)) via 198.51.100.$((100 + i)) dev p2
	many=$many/$((300 + i))
done
object add id 333 group "${many#/}" && route add 203.0.113.0/24 nhid 333
check "a group of 32" reach h1 203.0.113.1
one_link "each of them answers" 203.0.113.1
object flush > "$T/log"

note "fib_tests.sh"
# step WHAT CMD...: a change of net 113 in Linux; + or - before WHAT: whether h1 reaches it then.
step()
{
	local what=${1#?} how=${1%"${1#?}"}
	shift
	"$@" || not_ok "$what" "Linux refused: $*"
	case $how in
	+) check "$what" reach h1 "$beyond" ;;
	-) check "$what" miss h1 "$beyond" ;;
	esac
}
net=203.0.113.0/24 beyond=203.0.113.1
step "+IPv4: a route" route add $net via 198.51.100.2
step "-several, all dead" route replace $net nexthop via 198.51.100.98 nexthop via 198.51.100.99
step "+replaced by one, as several" route replace $net nexthop via 169.254.3.23
step "-by a reject" route replace unreachable $net
step "+by a route" route replace $net via 198.51.100.2
step "+another behind it" route append unreachable $net
step "-alone" route del $net via 198.51.100.2
step "+another before it" route prepend $net via inet6 2001:db8:2::2
route flush $net
step "+of a metric" route add $net via 198.51.100.2 metric 512
step "-a lower one wins" route add $net via 198.51.100.99 metric 256
step "+and is gone" route del $net metric 256
route flush $net
step "+both families" route add $net nexthop via inet6 2001:db8:2::2 dev p2 nexthop via 169.254.3.23
step "-a blackhole" route replace blackhole $net
step "+an MTU" route replace $net via 198.51.100.2 mtu 1300
is "is told" "$(ns h1 ping -n -c 1 -W 1 -M 'do' -s 1400 203.0.113.1 | grep -o 'mtu = [0-9]*')" "mtu = 1300"
check "and fragments are sent" ns h1 ping -q -c 1 -W 1 -M dont -s 1472 203.0.113.1
route flush $net
ip -n r addr add 10.5.5.1/24 dev p2
step "+a preferred source" route add $net via 198.51.100.2 src 10.5.5.1
step "-goes, and the route" ip -n r addr del 10.5.5.1/24 dev p2

net=2001:db8:113::/64 beyond=2001:db8:113::1
step "+IPv6: a route" route6 add $net via 2001:db8:2::2
step "+one appended makes several" route6 append $net via fe80:3::23 dev p3
share "flows know" $beyond 1 1
step "+one taken away" route6 del $net via fe80:3::23 dev p3
one_link "flows know" $beyond
step "-a lower metric" route6 add $net via 2001:db8:2::99 metric 100
step "+and is gone" route6 del $net metric 100
step "-a reject" route6 replace unreachable $net
route6 flush $net

# links that are set down, and deleted
veth r px h2 e9 && host_addr r px 10.9.9.1/24 2001:db8:9::1/64 && host_addr h2 e9 10.9.9.2/24 2001:db8:9::2/64
check "another port opens" reloaded p1 p2 p3 px
route add 203.0.113.0/24 nexthop via 198.51.100.2 nexthop via 10.9.9.2
route6 add $net nexthop via 2001:db8:2::2 nexthop via 2001:db8:9::2
check "IPv4 by two links" reach h1 203.0.113.1
check "IPv6 by two links" reach h1 2001:db8:113::1
ip -n r link set px down
check "one is down: IPv4" reach h1 203.0.113.1
check "one is down: IPv6" reach h1 2001:db8:113::1
one_link "IPv4 is by the other" 203.0.113.1
one_link "IPv6 is by the other" 2001:db8:113::1
ip -n r link del px
check "deleted, it takes the route of IPv4 along" miss h1 203.0.113.1
check "but not that of IPv6" reach h1 2001:db8:113::1

note "traceroute.sh: on one link with c are r (pl, 172.16.1.253) and the kernel's router x, and those two share another"
for i in r x c; do
	[ $i = r ] || ns_add $i
	ns $i sysctl -qw net.ipv6.conf.default.addr_gen_mode=1
done
ns_add sw && veth sw s0 r pl && veth sw s1 c e0 && veth sw s2 x e0 && veth r px x e5
ip -n sw link add name lan type bridge && ip -n sw link set lan up
for i in s0 s1 s2; do
	ip -n sw link set $i master lan
done
ns x sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.icmp_ratelimit=0
ns c sysctl -qw net.ipv4.conf.all.accept_redirects=1 net.ipv4.conf.e0.accept_redirects=1 \
	net.ipv4.conf.all.secure_redirects=0 net.ipv6.conf.e0.accept_redirects=1
host_addr r pl 10.3.3.1/24 172.16.1.253/24 2001:db8:16:1::253/64 fe80::253/64
host_addr x e0 172.16.1.254/24 2001:db8:16:1::254/64 fe80::254/64
host_addr c e0 172.16.1.1/24 2001:db8:16:1::1/64 fe80::1/64
host_addr r px 10.1.1.1/30 2001:db8:10::1/126 fe80::10:1/64
host_addr x e5 10.1.1.2/30 2001:db8:10::2/126 fe80::10:2/64
host_addr x lo 172.16.2.2/32 2001:db8:16:2::2/128
ip -n x route add 198.51.100.0/24 via 10.1.1.1 && ip -n x -6 route add 2001:db8:2::/64 via 2001:db8:10::1
ip -n c route add 198.51.100.0/24 via 172.16.1.253 && ip -n c -6 route add 2001:db8:2::/64 via 2001:db8:16:1::254
check "their ports open" reloaded p1 p2 p3 pl px
check "IPv4" reach c 198.51.100.2
check "IPv6" reach c 2001:db8:2::2
# hop NS TTL PING-ARGS...: who says that it went no further.
hop()
{
	ns "$1" ping -n -c 1 -W 1 -t "$2" "${@:3}" | sed -n 's/^From \([^ ]*\) .*exceeded.*/\1/p'
}
is "IPv6: the hop is where packets come in" "$(hop c 2 2001:db8:2::2)" 2001:db8:10::1
is "IPv4: the hop is in the subnet of who asks" "$(hop c 1 198.51.100.2)" 172.16.1.253
route add 172.16.2.0/24 via 172.16.1.254
check "the way back is by a gateway" eventually 3 sh -c "'$B/routerctl' show routes | grep -q '172.16.2.0/24 .*active'"
is "or in that of the gateway to him" "$(hop x 1 -I 172.16.2.2 198.51.100.2)" 172.16.1.253
route del 172.16.2.0/24

note "icmp_redirect.sh (F12)"
object add id 1 via 10.1.1.2 dev px && route add 172.16.2.0/24 nhid 1
object add id 2 via 2001:db8:10::2 dev px && route6 add 2001:db8:16:2::/64 nhid 2
ip -n c route add 172.16.2.0/24 via 172.16.1.253 && ip -n c -6 route add 2001:db8:16:2::/64 via fe80::253 dev e0
check "IPv4 by r" reach c 172.16.2.2
check "IPv6 by r" reach c 2001:db8:16:2::2
ip -n r link set px mtu 1300 && ip -n x link set e5 mtu 1300
# learned ADDR WHAT: what c has learned of the way there, asking with 1350 bytes.
learned()
{
	ns c ping -q -c 1 -W 1 -M want -s 1350 "$1"
	ns c ip route get "$1" | tr '\n' ' ' | grep -E "$2"
}
check "IPv4: c learns an MTU" eventually 5 learned 172.16.2.2 'via 172.16.1.253 .*mtu 1300'
check "IPv6: c learns an MTU" eventually 5 learned 2001:db8:16:2::2 'via fe80::253 .*mtu 1300'
object replace id 1 via 172.16.1.254 dev pl && object replace id 2 via fe80::254 dev pl
check "IPv4: and a better router" eventually 5 learned 172.16.2.2 'via 172.16.1.254 .*<redirected> .*mtu 1300'
check "IPv6: and a better router" eventually 5 learned 2001:db8:16:2::2 'via fe80::254 '

note "unicast_extensions.sh, with martians allowed (D3)"
# nets OURS1 HOST1 OURS2 HOST2 LENGTH: h1 and h2 are there, and r between them.
nets()
{
	local i port host ours his
	for i in "p1 h1 $1 $2" "p2 h2 $3 $4"; do
		read -r port host ours his <<< "$i"
		ip -n r -4 addr flush dev "$port" && ip -n r addr add "$ours/$5" brd + dev "$port" || return
		ip -n "$host" -4 addr flush dev e0 && ip -n "$host" addr add "$his/$5" brd + dev e0 || return
		ip -n "$host" route replace default via "$ours" || return
	done
}
for i in "240.5.6.1 240.5.6.7 255.1.2.1 255.1.2.3 24" "0.200.38.1 0.200.6.7 245.99.101.1 245.99.200.111 16" \
	"192.168.42.0 192.168.42.1 9.8.7.6 9.8.7.0 24"; do
	# shellcheck disable=SC2086 # so many words
	check "$i" nets $i
	read -r ours1 host1 ours2 host2 _ <<< "$i"
	check "h1 to the router" reach h1 "$ours1"
	check "h1 to h2" reach h1 "$host2"
	check "h2 to the router" reach h2 "$ours2"
	check "h2 to h1" reach h2 "$host1"
done

note "route_localnet.sh"
for i in "r p1 127.25.3.4" "h1 e0 127.25.3.14"; do
	read -r n dev a <<< "$i"
	ns "$n" sysctl -qw "net.ipv4.conf.$dev.route_localnet=1"
	ip -n "$n" route del 127.0.0.0/8 dev lo table local && ip -n "$n" addr add "$a/24" dev "$dev"
done
check "the router by an address in 127.0.0.0/8" reach h1 127.25.3.4

note "icmp.sh: a router without any address of IPv4 speaks as 192.0.0.8 (F9, RFC 7600)"
for i in p1 p2 p3 pl px; do
	ip -n r -4 addr flush dev $i
done
ip -n h1 -4 addr flush dev e0 && ip -n h1 addr add 172.16.0.1/32 dev e0
ip -n h2 addr add 172.16.2.1/32 dev e0 && ip -n h2 route add 172.16.0.0/24 via inet6 2001:db8:2::1
ip -n h1 route add 172.16.0.0/16 via inet6 2001:db8:1::1
route add 172.16.0.0/24 via inet6 2001:db8:1::2 && route add 172.16.2.1/32 via inet6 2001:db8:2::2
check "it forwards" reach h1 172.16.2.1
is "no route" "$(ns h1 ping -n -c 1 -W 1 172.16.1.1 | grep '^From')" \
	"From 192.0.0.8 icmp_seq=1 Destination Net Unreachable"
is "no hop left" "$(hop h1 1 172.16.2.1)" 192.0.0.8

check_conservation
finish
