#!/bin/bash
# tests/netns/qos_filters.sh: each kind of filter finds its packets and no others, of IPv4 and of IPv6:
# bytes at an offset, addresses and ports, DSCP, a mark of the firewall's, bytecode, a hash, MAC
# addresses, a tag's priority. Classes and filters count what they got.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../peers.sh"
. "$(dirname "$0")/../qos.sh"

wire=(/usr/bin/python3 "$lib_top/tests/tools/wire.py")
a_mac=020000000001

# tree [FILTER...]: eight bands, of which the last is everybody's whom no filter wants
tree()
{
	local filters
	filters=$(printf '%s,\n\t\t' "$@")
	echo "qos: {wan0: {egress: {root: {prio: {bands: 8, priomap: [7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
		7, 7]}, handle: \"1:\"}, filters: [$filters]}}}"
}

# bands: packets of each, from the first on
bands()
{
	ctl -j show qos -s dev wan0 | json - '" ".join(str(r["packets"])
		for r in sorted(d, key=lambda r: r["handle"] or "") if r["kind"] == "class")'
}

# found WHAT BAND ADDR PORT [OPTION...]: five datagrams of a's are in that band
found()
{
	local before after
	before=$(bands)
	send a "$3" "$4" --count 5 "${@:5}" > "$T/sent"
	sleep 0.1
	after=$(bands)
	is "$1" "$(echo "[[${before// /,}], [${after// /,}]]" | json - \
		'[i + 1 for i, (x, y) in enumerate(zip(*d)) if y - x >= 5]')" "[$2]"
}

filters_count()
{
	ctl_json '[r["packets"] for r in d if r["kind"] == "filter"]' show qos -s dev wan0
}

zones_topo || exit
ip -n a link set a0 address 02:00:00:00:00:01
router_start
check "all three ports" qos_conf
check "it forwards" flood_ready ours
check "over IPv6" eventually 5 ns a ping -q -c 1 -W 1 2001:db8:2::2
v4=10.0.2.2 v6=2001:db8:2::2

note "bytes"
check "u32 of both families" qos_conf "$(tree \
	'{priority: 1, ethertype: ipv4, u32: [{at: 9, width: 1, value: 17},
		{at: 2, nexthdr: true, width: 2, value: 5001}], class: "1:1"}' \
	'{priority: 2, ethertype: ipv6, u32: [{at: 2, nexthdr: true, width: 2, value: 5001}], class: "1:2"}' \
	'{priority: 3, u32: [{at: 16, width: 4, value: 0x0a000200, mask: 0xffffff00},
		{at: 0, nexthdr: true, width: 2, value: 0x1000, mask: 0xf000}], class: "1:3"}' \
	'{priority: 4, ethertype: ipv6, u32: [{at: 36, width: 4, value: 2, mask: 0xffff}], class: "1:4"}')"
found "a port, behind IPv4" 1 $v4 5001
found "a port, behind IPv6" 2 $v6 5001
found "an address and a part of the source port" 3 $v4 5002 --sport 4100
found "another source port" 8 $v4 5002 --sport 8200
found "an address of IPv6" 4 $v6 5002
is "each filter counts its own" "$(filters_count)" "[5, 5, 5, 5]"

note "what rules look at"
check "addresses, ports, DSCP" qos_conf "$(tree \
	'{priority: 1, from: 10.0.1.0/24, proto: udp, dport: 5000-5009, class: "1:1"}' \
	'{priority: 2, to: "2001:db8:2::/64", proto: udp, dport: [6000, 5001], class: "1:2"}' \
	'{priority: 3, dscp: ef, class: "1:3"}' \
	'{priority: 4, proto: udp, sport: 4100, class: "1:4"}' \
	"{priority: 5, dst-mac: \"$(ip -n b -j link show b0 | json - 'd[0]["address"]')\", class: \"1:5\"}")"
found "a range of ports" 1 $v4 5009
found "a list of ports, over IPv6" 2 $v6 6000
found "a port beside it" 5 $v6 6001
found "DSCP" 3 $v4 5010 --tos 0xb8
found "DSCP, over IPv6, with ECN" 3 $v6 5010 --tos 0xba
found "a source port" 4 $v4 5010 --sport 4100
found "where it leaves for" 5 $v4 5010
is "each filter counts its own" "$(filters_count)" "[5, 5, 10, 5, 10]"

note "a mark"
check "of the firewall's" qos_conf "$(tree '{mark: 0x20/0xf0, class: "1:6"}')
filter: {voip: {hook: prerouting, priority: mangle, rules: [
	{name: one, proto: udp, dport: 5060, action: {set-mark: 0x21}}]}}"
found "by a rule" 6 $v4 5060
found "by a rule, over IPv6" 6 $v6 5060
found "another port" 8 $v4 5061
check "of a filter's at ingress" qos_conf "qos: {lan0: {ingress: [
	{proto: udp, dport: 5070, action: {mark: 0x30}}, {proto: udp, dport: 5072, action: drop},
	{vlan: {priority: 5}, action: {mark: 0x50}}]}, $(tree '{mark: 0x30, class: "1:7"}' \
	'{proto: udp, dport: 5071, action: {priority: "1:2"}}' '{mark: 0x50, class: "1:5"}' | sed 's/^qos: {//')"
found "of IPv4" 7 $v4 5070
found "of IPv6" 7 $v6 5070
found "a priority that is a class" 2 $v4 5071
before=$(drops tc-action)
found "what ingress drops is in no band" '' $v4 5072
is "but among what was dropped" $(($(drops tc-action) - before)) 5

# frames for b, 10.0.1.2:1024 > 10.0.2.2:5073, with nothing but a priority in their tags
tagged()
{
	printf '%s%s8100%04x0800%s%040d\n' "$r_mac" $a_mac $(($1 << 13)) \
		4500003000000000401163ba0a0001020a000202040013d1001c0000 0
}
r_mac=$(ip -n r -j link show lan0 | json - 'd[0]["address"].replace(":", "")')
before=$(bands)
for priority in 5 5 3 5; do
	ns a "${wire[@]}" send a0 "$(tagged $priority)"
done
sleep 0.2
after=$(bands)
is "three of four frames have the priority in their tag" "$(echo "[[${before// /,}], [${after// /,}]]" |
	json - '[y - x for x, y in zip(*d)]')" "[0, 0, 0, 0, 3, 0, 0, 1]"

note "bytecode and hashes"
# ether proto ip, ip proto udp, no later fragment, udp dst port 5001
program='11,40 0 0 12,21 0 8 2048,48 0 0 23,21 0 6 17,40 0 0 20,69 4 0 8191,177 0 0 14,72 0 0 16'
program+=',21 0 1 5001,6 0 0 262144,6 0 0 0'
check "what tcpdump -ddd makes of a port" qos_conf "$(tree "{bytecode: \"$program\", class: \"1:1\"}")"
found "matches" 1 $v4 5001
found "not another port" 8 $v4 5002
found "nor IPv6" 8 $v6 5001
check "a hash of source ports over four bands" qos_conf \
	"$(tree '{proto: udp, hash: {keys: [sport], divisor: 4, base: "1:2"}}')"
before=$(bands)
for sport in {4001..4024}; do
	send a $v4 9 --count 2 --sport "$sport" > "$T/sent"
done
sleep 0.1
after=$(bands)
got=$(echo "[[${before// /,}], [${after// /,}]]" | json - '[y - x for x, y in zip(*d)]')
is "all of them there" "$(json - 'sum(d[1:5])' <<< "$got")" 48
is "each has some, and two of a flow never part" "$(json - \
	'all(v and v % 2 == 0 for v in d[1:5])' <<< "$got")" true

refused "a class that is not there" 'qos.wan0.egress.filters[0].class: there is no class 1:9 in this tree' \
	"$(tree '{mark: 1, class: "1:9"}')"
check_conservation
finish
