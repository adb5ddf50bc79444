#!/bin/bash
# tests/netns/qos_ifb.sh: what comes in can wait before anything else looks at it: a line's rate from
# the outside, for the flows of hosts behind NAT as for IPv6, shared by class; and the other way stays
# as fast as it is.
# check: release-only, slow
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../peers.sh"
. "$(dirname "$0")/../qos.sh"

nat='
filter: {}
nat: {source: [{name: home, from: 10.0.1.0/24, out: wan0, action: masquerade}]}'

# ifb TREE [MORE]
ifb()
{
	qos_conf "qos: {wan0: {ifb: $1}}${2:-}"
}

line='{root: {tbf: {rate: 10mbit, burst: 16kb, limit: 200kb}, handle: "1:"}}'

# down ADDR, up: 20 Mbit/s for two seconds; what came
down()
{
	see a 5001
	send b "$1" 5001 --rate 2500 --size 1000 --seconds 3 > "$T/sent"
	see_end 0.6
}

up()
{
	see b 5002
	send a "$1" 5002 --rate 2500 --size 1000 --seconds 3 > "$T/sent"
	see_end
}

down_is() # ADDR BITS SHARE
{
	down "$1"
	came 5001 'r["bits"]'
	near "$(came 5001 'r["bits"]')" "$2" "$3"
}

up_is()
{
	up "$1"
	came 5002 'r["bits"]'
	near "$(came 5002 'r["bits"]')" "$2" "$3"
}

# bulk OPTION...: TCP between a and b, in bits a second
bulk()
{
	ns a timeout 20 iperf3 -c "$@" -t 3 -O 1 -J > "$T/bulk.json" &&
		bits=$(json "$T/bulk.json" 'round(d["end"]["sum_received"]["bits_per_second"])') && echo "$bits"
}

# 1448 of 1514 bytes are an application's
bulk_down()
{
	bulk "$1" -R && near "$bits" 9560000 0.05
}

zones_topo || exit
router_start
check "it forwards" flood_ready ours
check "over IPv6" eventually 5 ns a ping -q -c 1 -W 1 2001:db8:2::2

check "a line of 10 Mbit/s from the outside" ifb "$line"
for to in 10.0.1.2 2001:db8:1::2; do
	check "20 Mbit/s to $to become 10" retry down_is $to 10000000 0.02
	is "in order, and once" "$(came 5001 '[r["reordered"], r["packets"] - r["different"]]')" "[0, 0]"
done
for to in 10.0.2.2 2001:db8:2::2; do
	check "20 Mbit/s to $to stay" retry up_is $to 20000000 0.02
done
is "it is shown as what it is" "$(ctl_json '[[r["dev"], r["direction"]] for r in d
	if r["handle"] == "1:"]' show qos)" '[["wan0", "ingress"]]'
check "its drops are counted" [ "$(ctl_json '[r["drops"] for r in d if r["handle"] == "1:"][0]' \
	show qos -s)" -gt 1000 ]
check "nothing is left" qos_idle

check "the same with NAT behind it" ifb "$line" "$nat"
if command -v iperf3 > "$T/found"; then
	check "iperf3's server" bulk_server b
	for to in 10.0.2.2 2001:db8:2::2; do
		check "a download from $to fills the line" retry bulk_down $to
		note "$bits bit/s"
		check "an upload to $to does not know of it" bulk $to
		check "it is faster" [ "$bits" -gt 20000000 ]
	done
	bulk_stop
else
	skip "a download fills the line" "no iperf3 here"
fi
check "b sees the router's address" eval '[ "$(ctl -j show conntrack | json - \
	"sum(c[\"reply\"][\"dst\"] == \"10.0.2.1\" for c in d)")" -gt 0 ]'
serve b udp:7000 tcp:7000
answers "a question behind NAT" a udp 10.0.2.2 7000 10.0.2.1
answers "a connection" a tcp 10.0.2.2 7000 10.0.2.1
answers "one over IPv6, without" a tcp 2001:db8:2::2 7000 2001:db8:1::2
check "pings" ns a ping -q -c 3 -i 0.2 -W 2 10.0.2.2

note "classes"
check "two, chosen by a filter of ingress" qos_conf "qos: {wan0: {
	ingress: [{proto: udp, sport: 7001, action: {priority: \"1:20\"}}],
	ifb: {root: {htb: {default: other}, handle: \"1:\"}, classes: {
	known: {handle: \"1:20\", rate: 1mbit}, other: {handle: \"1:30\", rate: 9mbit}}}}}$nat"
serve b udp:7001
answers "a question" a udp 10.0.2.2 7001 10.0.2.1
is "went through its class" "$(ctl_json '[r["packets"] for r in d if r["handle"] == "1:20"][0]' show qos -s)" 1
check "without a tree" qos_conf
check "20 Mbit/s are 20" down_is 10.0.1.2 20000000 0.02

refused "a rate needs a unit" 'qos.wan0.ifb.root.tbf.rate: rate "10" needs a unit' \
	'qos: {wan0: {ifb: {root: {tbf: {rate: 10, burst: 10kb, limit: 10kb}}}}}'
check_conservation
finish
