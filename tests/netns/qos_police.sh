#!/bin/bash
# tests/netns/qos_police.sh: policers let through what they say, on the way in and on the way out, of
# IPv4 and of IPv6, in bits and in packets; one that two ports share is one bucket; what conforms is
# mirrored; what is longer than its mtu never conforms.
# check: release-only, slow
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../peers.sh"
. "$(dirname "$0")/../qos.sh"

seconds=2
bits='rate: 10mbit, burst: 16kb'
packets='packet-rate: 2000, packet-burst: 400'

# ingress POLICE [MORE...] and egress: the policer where host a's packets come in, and where they leave
ingress()
{
	qos_conf "qos: {lan0: {ingress: [{proto: udp, dport: 5001, $1}]}}"
}

egress()
{
	qos_conf "qos: {wan0: {egress: {root: {prio: {}, handle: \"1:\"},
		filters: [{proto: udp, dport: 5001, $1}]}}}"
}

# offered ADDR PPS SIZE: from a; what b got is in $T/came
offered()
{
	see b 5001
	send a "$1" 5001 --rate "$2" --size "$3" --seconds $((seconds + 1)) > "$T/sent"
	see_end
}

ten_mbit()
{
	offered "$1" 2500 1000
	echo "$(came 5001 'r["bits"]') bit/s"
	near "$(came 5001 'r["bits"]')" 10000000 0.1
}

two_thousand()
{
	offered "$1" 4000 100
	echo "$(came 5001 'r["bits"] / 800') packets a second"
	near "$(came 5001 'r["bits"] / 800')" 2000 0.1
}

policer()
{
	ctl_json "[p for r in d if r['kind'] == 'filter' for p in r['xstats']['police']][0]$1" show qos -s
}

in_order()
{
	is "$1: in order, and once" "$(came 5001 '[r["reordered"], r["packets"] - r["different"]]')" "[0, 0]"
}

# of one bucket: a and g send 20 Mbit/s each, and one port after the other takes from it
shared()
{
	local pids=() from
	see b 5001 5002
	for from in "a 5001" "g 5002"; do
		# shellcheck disable=SC2086 # two words
		send ${from% *} 10.0.2.2 ${from#* } --rate 2500 --size 1000 --seconds $((seconds + 1)) \
			> "$T/sent.$from" &
		pids+=($!)
	done
	wait "${pids[@]}"
	see_end
	echo "$(came 5001 'r["bits"]') and $(came 5002 'r["bits"]') bit/s"
	near "$(json "$T/came" 'sum(r["bits"] for r in d.values())')" 10000000 0.1
}

mtu()
{
	see b 5001
	send a "$1" 5001 --rate 1000 --size 1043 --count 10
	send a "$1" 5001 --rate 1000 --size 1042 --count 3
	see_end
}

zones_topo || exit
router_start
check "it forwards" flood_ready ours

for way in ingress egress; do
	check "$way: a policer of 10 Mbit/s" $way "police: {$bits}"
	for to in 10.0.2.2 2001:db8:2::2; do
		check "$way: of what is offered twice, 10 Mbit/s reach $to" retry ten_mbit $to
		in_order "$way"
	done
	check "$way: the policer counted what passed, and more that did not" [ \
		"$(policer '["exceed"]["packets"]')" -gt 1000 ]
	check "$way: a policer of 2000 packets a second" $way "police: {$packets}"
	check "$way: that many pass" retry two_thousand 10.0.2.2
	check "$way: what passes is mirrored" $way \
		"action: [{police: {$bits, conform: pipe}}, {mirror: guest0}]"
	mirrored=$(show_if guest0 tx_packets)
	check "$way: 10 Mbit/s of it" ten_mbit 10.0.2.2
	mirrored=$(($(show_if guest0 tx_packets) - mirrored))
	check "$way: as many copies as originals" near $mirrored "$(came 5001 'r["packets"]')" 0.01
	check "$way: a mtu of 1042" $way "police: {mtu: 1042b}"
	before=$(drops policed)
	for to in 10.0.2.2 2001:db8:2::2; do
		check "$way: ten are longer, three are not" mtu $to
		is "$way: three reach $to" "$(came 5001 'r["packets"]')" 3
	done
	is "$way: its filter saw both thirteen" "$(filter_row 'proto: udp, dport: 5001' packets)" 26
	is "$way: tc would say so" "$(ctl show qos -s -o tc | grep -o "overlimits 20 ")" "overlimits 20 "
	is "$way: ten of each were over it" "$(policer '["exceed"]["packets"]')" 20
	is "$way: these are what is dropped" $(($(drops policed) - before)) 20
done

check "a policer that two ports share" qos_conf "qos: {
	lan0: {ingress: [{proto: udp, dport: 5001, police: {name: one, $bits}}]},
	guest0: {ingress: [{proto: udp, dport: 5002, police: {name: one}}]}}"
check "both together get 10 Mbit/s" retry shared
check "and one at ingress and egress" qos_conf "qos: {
	lan0: {ingress: [{proto: udp, dport: 5001, police: {name: one, $bits}}]},
	wan0: {egress: {root: {prio: {}, handle: \"1:\"},
		filters: [{proto: udp, dport: 5002, police: {name: one}}]}}}"
check "both together get 10 Mbit/s again" retry shared

refused "a rate needs a burst" 'qos.lan0.ingress[0].police.rate: needs a burst' \
	'qos: {lan0: {ingress: [{proto: udp, police: {rate: 10mbit}}]}}'
check_conservation
finish
