#!/bin/bash
# tests/netns/qos_fair.sh: equal flows get equal shares behind fq_codel, and classes of htb what the
# tree says, borrowed included: root 20; A 4, B 12 (B1 8, B2 4), C 4 Mbit, each up to 20.
# check: release-only, slow
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../peers.sh"
. "$(dirname "$0")/../qos.sh"
command -v iperf3 > "$T/seen" || skip_all "no iperf3 here"

# ---- flows
equal_flows()
{
	jain 8 10 && echo "index $jain: $flow_bytes bytes" && awk -v index_="$jain" 'BEGIN { exit !(index_ >= 0.98) }'
}

# Two of eight flows share one of 1024 queues once in forty times.
equal_again()
{
	equal_flows || { note "$jain: once more, with other ports" && equal_flows; }
}

# ---- classes
declare -A port=([A]=5301 [B1]=5302 [B2]=5303 [C]=5304)
shares='{root: {htb: {}, handle: "1:"}, classes: {
	all: {handle: "1:1", rate: 20mbit, ceil: 20mbit},
	a: {parent: all, handle: "1:10", rate: 4mbit, ceil: 20mbit, leaf: {pfifo: {limit: 50}}},
	b: {parent: all, handle: "1:20", rate: 12mbit, ceil: 20mbit},
	b1: {parent: b, handle: "1:21", rate: 8mbit, ceil: 20mbit, leaf: {pfifo: {limit: 50}}},
	b2: {parent: b, handle: "1:22", rate: 4mbit, ceil: 20mbit, leaf: {pfifo: {limit: 50}}},
	c: {parent: all, handle: "1:30", rate: 4mbit, ceil: 20mbit, leaf: {pfifo: {limit: 50}}}},
	filters: [{priority: 1, proto: udp, dport: 5301, class: a},
	{priority: 1, proto: udp, dport: 5302, class: b1},
	{priority: 1, proto: udp, dport: 5303, class: b2},
	{priority: 1, proto: udp, dport: 5304, class: c}]}'

# got NAME: Mbit/s with headers, of datagrams of 1400 bytes, as the server saw them in the last run
got()
{
	/usr/bin/python3 - "$T/iperf3.${port[$1]}.log" <<- 'END'
	import json, sys
	text, at, run = open(sys.argv[1]).read(), 0, None
	while text[at:].strip():
	    at = text.index("{", at)
	    run, at = json.JSONDecoder().raw_decode(text, at)
	seconds = [i["sum"] for i in run["intervals"] if not i["sum"]["omitted"]]
	print(round(sum(s["bytes"] for s in seconds) / sum(s["seconds"] for s in seconds)
	            * 8 * 1442 / 1400 / 1e6, 2))
	END
}

# split NAME=MBIT...: these classes are busy, each with all the line could take
split()
{
	local c pids=() bad=0
	for c in "$@"; do
		ns a timeout 20 iperf3 -c 10.0.2.2 -p "${port[${c%=*}]}" -u -b 21M -l 1400 -t 5 -O 1 -J \
			> "$T/share.${c%=*}" &
		pids+=($!)
	done
	wait "${pids[@]}"
	for c in "$@"; do
		echo "${c%=*}: $(got "${c%=*}") of ${c#*=} Mbit/s"
		awk -v got="$(got "${c%=*}")" -v want="${c#*=}" \
			'BEGIN { exit !(got > want * 0.98 && got < want * 1.02) }' || bad=1
	done
	return $bad
}

split_again()
{
	split "$@" || { note "once more, on a busy machine" && split "$@"; }
}

shares()
{
	check "$1" split_again "${@:2}"
	sed 's/^/# /' "$T/seen"
	check "and nothing is left" qos_idle
}

qos_topo || exit
router_start
check "it forwards" flood_ready ours
check "iperf3's servers" bulk_server b 5201 "${port[@]}"

check "a line of 40 Mbit/s with fq_codel" shape "$(line 40mbit "fq_codel: {}")"
check "8 equal flows: Jain's index is 0.98 or more" equal_again
sed 's/^/# /' "$T/seen"
check "nothing is left" qos_idle

check "the tree" shape "$shares"
shares "all are busy: each has its rate" A=4 B1=8 B2=4 C=4
shares "one alone has the line" A=20
shares "two of one family share it by their rates" B1=13.33 B2=6.67
shares "two of one rate share it equally" A=10 C=10
shares "what another family leaves over goes first to one's own, the rest to each borrower alike" A=6 B2=14
shares "the same for B1" A=6 B1=14
bulk_stop
check_conservation
finish
