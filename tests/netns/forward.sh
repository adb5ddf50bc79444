#!/bin/bash
# tests/netns/forward.sh: what two Linux hosts see of a router: a hop with an address, a time to
# live, and a reason when there is no way on.
. "$(dirname "$0")/../lib.sh"

# says WANT CMD...: the command prints a line with WANT (an extended regular expression).
says()
{
	local want=$1 got
	shift
	got=$("$@" 2>&1)
	echo "$got"
	grep -qE -- "$want" <<< "$got"
}

# refused WHAT WANT ADDR [PING ARGS...]: a ping from a to ADDR is answered by the router's error.
refused()
{
	local what=$1 want=$2 addr=$3 from=10.0.1.1
	shift 3
	[[ $addr != *:* ]] || from=2001:db8:1::1
	check "$what" says "From $from .*$want" ns a ping -c 1 -W 5 "$@" "$addr"
}

# dropped WHAT REASON CMD...: the command fails, for one more drop of that reason.
dropped()
{
	local what=$1 reason=$2 before
	shift 2
	before=$(drops "$reason")
	check_not "$what: no answer" "$@"
	is "$what: one drop more, $reason" "$(drops "$reason")" $((before + 1))
}

topo_three
ns b sysctl -qw net.ipv4.icmp_echo_ignore_broadcasts=0 net.ipv4.icmp_ratelimit=0 \
	net.ipv6.icmp.ratelimit=0
# routes of Linux that lead nowhere
for kind in blackhole:1 unreachable:2 prohibit:3; do
	ip -n r route add "${kind%:*}" "198.51.${kind#*:}.0/24"
	ip -n r -6 route add "${kind%:*}" "2001:db8:f${kind#*:}::/48"
done
router_start

check "IPv4: ping" ns a ping -q -c 3 -i 0.1 -W 2 10.0.2.2
check "IPv6: ping" ns a ping -q -c 3 -i 0.1 -W 2 2001:db8:2::2
check "IPv4: the largest packets" ns a ping -q -c 3 -i 0.1 -W 2 -s 1472 -M 'do' 10.0.2.2
check "IPv6: the largest packets" ns a ping -q -c 3 -i 0.1 -W 2 -s 1452 -M 'do' 2001:db8:2::2
check "IPv4: a ping of fragments" ns a ping -q -c 3 -i 0.1 -W 2 -s 8000 10.0.2.2
check "IPv6: a ping of fragments" ns a ping -q -c 3 -i 0.1 -W 2 -s 8000 2001:db8:2::2
is "the TTL of 64 is one less" "$(ns a ping -c 1 10.0.2.2 | grep -o 'ttl=[0-9]*')" ttl=63
is "the hop limit too" "$(ns a ping -c 1 2001:db8:2::2 | grep -o 'ttl=[0-9]*')" ttl=63

note "traceroute: two hops, the first of them the router's address on the way back"
trace()
{
	ns "$1" traceroute -n -N 4 -q 2 -w 2 "${@:3}" "$2" | tail -n +2 | awk '{ printf "%s ", $2 }'
}
is "traceroute by UDP, IPv4" "$(trace a 10.0.2.2)" "10.0.1.1 10.0.2.2 "
is "traceroute by ICMP, IPv4" "$(trace a 10.0.2.2 -I)" "10.0.1.1 10.0.2.2 "
is "traceroute by UDP, IPv6" "$(trace a 2001:db8:2::2)" "2001:db8:1::1 2001:db8:2::2 "
is "traceroute by ICMP, IPv6" "$(trace a 2001:db8:2::2 -I)" "2001:db8:1::1 2001:db8:2::2 "
is "the other way, IPv4" "$(trace b 10.0.1.2)" "10.0.2.1 10.0.1.2 "
is "the other way, IPv6" "$(trace b 2001:db8:1::2)" "2001:db8:2::1 2001:db8:1::2 "

note "the router answers one error a second to one host, after the first six"
sleep 3
path()
{
	ns a tracepath -n "$1" | awk '/ms/ && $2 != "[LOCALHOST]" && !seen[$2]++ { printf "%s ", $2 }'
}
is "tracepath, IPv4" "$(path 10.0.2.2)" "10.0.1.1 10.0.2.2 "
is "tracepath, IPv6" "$(path 2001:db8:2::2)" "2001:db8:1::1 2001:db8:2::2 "

note "errors"
host_addr r lan0 10.0.5.1/24
host_addr a a0 10.0.5.2/24
ip -n b route add 10.0.5.0/24 via 10.0.2.1
check "a second subnet on the port works" eventually 5 ns a ping -q -c 1 -W 1 -I 10.0.5.2 10.0.2.2
check "a host there hears from the router's address there" \
	says "From 10.0.5.1 .*Time to live exceeded" ns a ping -c 1 -W 2 -t 1 -I 10.0.5.2 10.0.2.2
sleep 3
refused "IPv4: TTL 1" "Time to live exceeded" 10.0.2.2 -t 1
refused "IPv6: hop limit 1" "Hop limit" 2001:db8:2::2 -t 1
refused "IPv4: no route" "Destination Net Unreachable" 192.0.2.1
refused "IPv6: no route" "Destination unreachable: No route" 2001:db8:9::1
dropped "IPv4: a blackhole" blackhole ns a ping -c 1 -W 0.5 198.51.1.1
dropped "IPv6: a blackhole" blackhole ns a ping -c 1 -W 0.5 2001:db8:f1::1
refused "IPv4: unreachable" "Destination Host Unreachable" 198.51.2.1
refused "IPv6: unreachable" "Destination unreachable: Unknown code 6" 2001:db8:f2::1
refused "IPv4: prohibit" "Packet filtered" 198.51.3.1
refused "IPv6: prohibit" "Administratively prohibited" 2001:db8:f3::1
refused "IPv4: a host that is not there" "Destination Host Unreachable" 10.0.2.77
refused "IPv6: a host that is not there" "Address unreachable" 2001:db8:2::77
dropped "a directed broadcast" broadcast ns a ping -b -c 1 -W 0.5 10.0.2.255
is "each of them under its reason" "$(drops no-route) $(drops unreachable) $(drops prohibit) $(
	drops neighbour-failed)" "2 2 2 2"

note "a host that comes back"
host_addr b b0 10.0.2.77/24 2001:db8:2::77/64
check "IPv4: is reached" eventually 5 ns a ping -q -c 1 -W 1 10.0.2.77
check "IPv6: is reached" eventually 5 ns a ping -q -c 1 -W 1 2001:db8:2::77
check_conservation
finish
