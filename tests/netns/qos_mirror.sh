#!/bin/bash
# tests/netns/qos_mirror.sh: copies of what a port receives, of what it sends, and of both, cut if
# asked for; frames that a filter sends another way; headers that a filter edits, with checksums that
# are right afterwards. Of IPv4 and of IPv6.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../peers.sh"
. "$(dirname "$0")/../qos.sh"

wire=(/usr/bin/python3 "$lib_top/tests/tools/wire.py")

# tap, tap_end: what comes to g, without what its own router and neighbours have to say to it
tap()
{
	ns_bg g "${wire[@]}" see g0 > "$T/tap"
	tap=$!
	eventually 5 grep -q ready "$T/tap" > "$T/ready" || not_ok "g listens"
}

tap_end()
{
	sleep 0.3
	kill $tap
	wait $tap 2> "$T/ended"
}

# taps PATTERN: how many of them came
taps()
{
	grep -c -e "$1" "$T/tap"
}

# exchange: three questions of a's over each family, which b answers; nothing else is UDP
exchange()
{
	local to
	tap
	for to in 10.0.2.2 2001:db8:2::2; do
		for _ in 1 2 3; do
			ask a udp $to 7000 > "$T/asked"
		done
	done
	tap_end
}

# An IPv4 or IPv6 header behind any MAC addresses, from and to these addresses, of UDP
a4=0a000102 b4=0a000202
a6=20010db8000100000000000000000002 b6=20010db8000200000000000000000002
from_a="^.{24}(0800.{18}11.{4}$a4$b4|86dd.{8}.{4}11.{2}$a6$b6)"
from_b="^.{24}(0800.{18}11.{4}$b4$a4|86dd.{8}.{4}11.{2}$b6$a6)"

# copies WHAT ASKED ANSWERED: of six questions and six answers
copies()
{
	exchange
	is "$1" "$(grep -cE "$from_a" "$T/tap") $(grep -cE "$from_b" "$T/tap")" "$2 $3"
}


zones_topo || exit
router_start
check "three ports" qos_conf
check "it forwards" flood_ready ours
check "over IPv6" eventually 5 ns a ping -q -c 1 -W 1 2001:db8:2::2
serve b udp:7000

note "mirrors"
check "what wan0 sends" qos_conf 'mirror: [{name: m, from: wan0, direction: out, to: guest0}]'
copies "are the questions" 6 0
check "as they leave" [ "$(taps "^$(ip -n b -j link show b0 | json - 'd[0]["address"].replace(":", "")')")" -ge 6 ]
is "with a hop less" "$(grep -E "$from_a" "$T/tap" | grep '^.\{24\}0800' | cut -c45-46 | sort -u)" 3f
check "what it receives" qos_conf 'mirror: [{name: m, from: wan0, direction: in, to: guest0}]'
copies "are the answers" 0 6
is "as they came" "$(grep -E "$from_b" "$T/tap" | grep '^.\{24\}0800' | cut -c45-46 | sort -u)" 40
check "both" qos_conf 'mirror: [{name: m, from: wan0, direction: both, to: guest0}]'
copies "are both" 6 6
check "those of a match" qos_conf 'mirror: [{name: m, from: wan0, proto: udp, sport: 7000, to: guest0}]'
copies "are the answers" 0 6
is "which are counted" "$(ctl_json 'sum(r["packets"] for r in d if r["name"] == "m")' show qos -s)" 6
check "no more than 70 bytes" qos_conf \
	'mirror: [{name: m, from: wan0, direction: both, snaplen: 70, to: guest0}]'
tap
send a 10.0.2.2 9 --count 4 --size 58 > "$T/sent"
send a 2001:db8:2::2 9 --count 4 --size 1000 > "$T/sent"
tap_end
is "are no more, and no less where there are fewer" \
	"$(grep -E "$from_a" "$T/tap" | awk '{ print length($0) / 2 }' | sort -n | uniq -c | xargs)" "4 60 4 70"
check "to two places" qos_conf 'mirror: [{name: m, from: wan0, direction: out, to: guest0},
	{name: n, from: lan0, direction: in, proto: udp, to: guest0}]'
copies "twice" 12 0

note "another way"
check "by a match" qos_conf 'redirect: [{name: r, in: lan0, proto: udp, dport: 5053, to: guest0}]'
see b 5053 5054
tap
for to in 10.0.2.2 2001:db8:2::2; do
	send a $to 5053 --count 4 --size 100 > "$T/sent"
	send a $to 5054 --count 4 --size 100 > "$T/sent"
done
tap_end
see_end
is "what matches goes there, the rest where it was going" \
	"$(grep -cE "$from_a" "$T/tap") $(json "$T/came" '[r["packets"] for r in d.values()]')" "8 [0, 8]"
is "as it is" "$(grep -E "$from_a" "$T/tap" | grep '^.\{24\}0800' | cut -c45-46 | sort -u)" 40
check "by a filter of ingress, with a copy for another" qos_conf 'qos: {lan0: {ingress: [
	{proto: udp, dport: 5053, action: [{mirror: guest0}, {redirect: wan0}]}]}}'
tap
send a 10.0.2.2 5053 --count 4 --size 100 > "$T/sent"
tap_end
is "both" "$(grep -cE "$from_a" "$T/tap")" 4
check "in a circle" qos_conf 'qos: {lan0: {ingress: [{proto: udp, dport: 5053, action: {redirect: wan0}}]},
	wan0: {egress: {root: {prio: {}, handle: "1:"}, filters: [{proto: udp, dport: 5053, action: {redirect: guest0}}]}},
	guest0: {egress: {root: {prio: {}, handle: "1:"}, filters: [{proto: udp, dport: 5053, action: {redirect: wan0}}]}}}'
before=$(drops tc-loop)
send a 10.0.2.2 5053 --count 4 > "$T/sent"
sleep 0.1
is "it ends" $(($(drops tc-loop) - before)) 4

note "edited"
edit='[{pedit: {at: 2, width: 2, value: 5003, nexthdr: true}}, {mark: 3}]'
for place in ingress egress; do
	case $place in
	ingress) tree="{lan0: {ingress: [{proto: udp, dport: 5001, action: $edit},
		{dscp: ef, ethertype: ipv4, action: {pedit: [{at: 1, width: 1, value: 0x48, keep: 0x03}]}}]}}" ;;
	egress) tree="{wan0: {egress: {root: {prio: {}, handle: \"1:\"}, filters: [
		{proto: udp, dport: 5001, action: $edit}, {dscp: ef, ethertype: ipv4,
		action: {pedit: [{at: 1, width: 1, value: 0x48, keep: 0x03}]}}]}}}" ;;
	esac
	check "$place: ports and DSCP" qos_conf "qos: $tree"
	see b 5001 5002 5003
	send a 10.0.2.2 5001 --count 5 > "$T/sent"
	send a 2001:db8:2::2 5001 --count 5 > "$T/sent"
	send a 10.0.2.2 5002 --count 5 --tos 0xba > "$T/sent"
	see_end
	is "$place: ports are others, and checksums right" \
		"$(json "$T/came" '[r["packets"] for r in d.values()]')" "[0, 5, 10]"
	is "$place: DSCP is another, and ECN what it was" "$(came 5002 'r["tos"]')" '{"74": 5}'
done
is "no checksum is wrong" "$(ns b nstat -asz UdpInCsumErrors Udp6InCsumErrors IpInCsumErrors |
	awk '!/^#/ { s += $2 } END { print s }')" 0

refused "not to itself" 'mirror[0].to: mirrors the interface to itself' \
	'mirror: [{name: m, from: wan0, to: wan0}]'
check_conservation
finish
