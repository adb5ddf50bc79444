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

# conf [KEYS...]: what the file says of each port, and of routing.
conf()
{
	printf 'version: 1\ninterfaces:\n'
	printf '  p%d: { %s }\n' 1 "$1" 2 "$1" 3 "$1"
	printf 'routing: { icmp-errors: { rate: 1000 }%s }\n' "${2:+, $2}"
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
conf "" > "$T/first.yaml"
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
check "they are switched on" reloaded "directed-broadcast: true"
broadcast "on: h1 to net 2: h2" h1 198.51.100.255 198.51.100.2
broadcast "on: h1 to net 3: h3" h1 198.51.200.255 198.51.200.2
broadcast "on: h1 to all: the router" h1 255.255.255.255 192.0.2.1
# The kernel drops these two, because whoever has switched it on forwards instead of listening.
broadcast "on: h1 to its own net: the router" h1 192.0.2.255 192.0.2.1
broadcast "on: h2 to its own net: the router" h2 198.51.100.255 198.51.100.1
broadcast "on: h2 to net 1: h1" h2 192.0.2.255 192.0.2.2
broadcast "on: h2 to net 3: h3" h2 198.51.200.255 198.51.200.2
broadcast "on: h2 to all: the router" h2 255.255.255.255 198.51.100.1
check_conservation
finish
