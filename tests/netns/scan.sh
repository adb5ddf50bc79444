#!/bin/bash
# tests/netns/scan.sh: somebody scans a connected /16 or /64 through the router at 20,000 packets a second.
# Live neighbours stay, new ones are found, Linux's table stays small (G25, F13; RFC 6583).
# check: release-only
. "$(dirname "$0")/../load.sh"

topo_three 2
host_addr r wan0 10.200.255.1/16
host_addr b b0 10.200.254.1/16 10.200.254.2/16 10.200.254.3/16 10.200.254.4/16
host_addr b b0 2001:db8:2::f1/64 2001:db8:2::f2/64 2001:db8:2::f3/64 2001:db8:2::f4/64
host_addr a a0 10.0.1.3/24 2001:db8:1:3::2/64
ip -n r -6 route add 2001:db8:1:3::/64 via 2001:db8:1::2
router_start
passes "it forwards"

scan4=(--src 10.0.1.2 --dst 10.200.0.1-10.200.250.0 --flows 64000)
many4=(--src 10.0.1.20-10.0.1.200 --dst 10.200.0.1-10.200.250.0 --flows 1000000)
scan6=(--src 2001:db8:1::2 --dst 2001:db8:2::1:0-2001:db8:2::10:0 --flows 900000 --size 84)
many6=(--src 2001:db8:1::20-2001:db8:1::99 --dst 2001:db8:2::1:0-2001:db8:2::10:0 --flows 1000000 --size 84)

neighbours()
{
	ip -n r "-$1" neigh show nud all | grep -c .
}

event()
{
	ctl_json "sum(r['packets'] for r in d if r['reason'] == '$1')" show drops -s
}

# control_ms: what the control thread has run, in milliseconds.
control_ms()
{
	awk '{ print int($1 / 1000000) }' "/proc/$(router_pid)/task/$(router_pid)/schedstat"
}

# alive 4|6 HOST [FROM]: an answer to one of five, in less than 3 s; an error does not end it
alive()
{
	ns a ping "-$1" -q -c 5 -i 0.5 -W 0.5 ${3:+-I "$3"} "$2" > "$T/new"
	grep -o '[0-9]* received' "$T/new" | grep -v '^0 '
}

# refused: for want of a place for the neighbour, or in its queue
refused()
{
	echo $(($(drops neighbour-limit) + $(drops hold-full)))
}

# under_scan 4|6 WHAT KNOWN NEW SOURCE GEN-ARGUMENT...: KNOWN is in use; NEW was never heard of.
under_scan()
{
	local six=$1 what=$2 known=$3 new=$4 source=$5 before ms most=0 n start
	shift 5
	ns a ping "-$six" -q -c 2 -i 0.1 "$known" > "$T/seen"
	before=$(refused)
	ns_bg a "$B/tests/tools/pktgen" gen a0 --dst-mac "$(mac_of r lan0)" "$@" --rate 20000 --time 4 -j \
		> "$T/scan"
	local scan=$!
	ns_bg a ping "-$six" -q -c 700 -i 0.005 -W 2 "$known" > "$T/live"
	local live=$!
	sleep 1
	ms=$(control_ms) start=$SECONDS
	check "$what: a new host is found while it lasts" alive "$six" "$new" "$source"
	check "$what: it does" kill -0 $scan
	while kill -0 $live 2> /dev/null; do
		n=$(neighbours "$six")
		[ "$n" -le "$most" ] || most=$n
		sleep 0.2
	done
	ms=$((($(control_ms) - ms) / (SECONDS - start + 1)))
	wait $live $scan
	is "$what: 200 packets a second to a live one, lost" "$(grep -o '[0-9]*% packet loss' "$T/live")" \
		'0% packet loss'
	check "$what: Linux keeps it" ip -n r neigh get "$known" dev wan0
	check "$what: Linux knew $most neighbours at most" [ "$most" -lt 400 ]
	check "$what: control ran for $ms ms of each second" [ "$ms" -lt 200 ]
	n=$(json "$T/scan" 'd["packets"]')
	check "$what: of $n packets most were refused" [ $((2 * ($(refused) - before))) -gt "$n" ]
	is "$what: no request found the ring to control full" "$(event resolve-lost)" 0
}

errors=$(event icmp-sent)
under_scan 4 "/16, one source" 10.200.254.1 10.200.254.2 10.0.1.3 "${scan4[@]}"
check "some of those who sent are told" [ $(($(event icmp-sent) - errors)) -ge 3 ]
under_scan 4 "/16, many sources" 10.200.254.1 10.200.254.3 10.0.1.3 "${many4[@]}"
under_scan 6 "/64, one source" 2001:db8:2::f1 2001:db8:2::f2 2001:db8:1:3::2 "${scan6[@]}"
under_scan 6 "/64, many sources" 2001:db8:2::f1 2001:db8:2::f3 2001:db8:1:3::2 "${many6[@]}"

few_left()
{
	[ "$(neighbours "$1")" -lt 200 ]
}
check "a few seconds later Linux's table is small again: IPv4" eventually 10 few_left 4
check "IPv6" eventually 10 few_left 6
check "the router remembers no more than Linux" [ "$(ctl_json 'len(d)' show neighbours)" -lt 200 ]
none_held()
{
	[ "$(ctl_json 'd["held"]' show status)" = 0 ]
}
check "nothing waits" eventually 10 none_held
check "a host that nobody has asked for is found at once" alive 4 10.200.254.4
check_conservation
finish
