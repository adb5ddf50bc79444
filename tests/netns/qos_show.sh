#!/bin/bash
# tests/netns/qos_show.sh: what routerctl says of shaping: in tc's words what tc says of the same tree
# in Linux; rates, backlog, drops and sojourn times of a class that is offered too much; monitor qos.
# check: release-only, slow
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../peers.sh"
. "$(dirname "$0")/../qos.sh"

tree='{
	root: {htb: {default: bulk, r2q: 20}, handle: "1:"},
	classes: {
		all: {handle: "1:1", rate: 95mbit, ceil: 95mbit, burst: 15kb, cburst: 15kb},
		voice: {parent: all, handle: "1:10", rate: 5mbit, ceil: 20mbit, burst: 1600b, cburst: 1600b,
			prio: 1, quantum: 1514b, leaf: {tbf: {rate: 10mbit, burst: 20kb, latency: 20ms}, handle: "10:"}},
		bulk: {parent: all, handle: "1:30", rate: 10mbit, ceil: 10mbit, burst: 15kb, cburst: 15kb,
			prio: 3, quantum: 1514b, leaf: {pfifo: {limit: 100}, handle: "30:"}}},
	filters: [
		{priority: 10, ethertype: ipv4, u32: [{at: 12, width: 4, value: 0x0a000000, mask: 0xff000000},
			{at: 9, width: 1, value: 17, mask: 0xff}], class: bulk},
		{priority: 20, bytecode: "4,40 0 0 12,21 0 1 2048,6 0 0 262144,6 0 0 0", class: bulk}]}'

linux_tree()
{
	ns l tc qdisc add dev wan0 root handle 1: htb default 30 r2q 20 &&
		ns l tc class add dev wan0 parent 1: classid 1:1 htb rate 95mbit ceil 95mbit \
			burst 15kb cburst 15kb &&
		ns l tc class add dev wan0 parent 1:1 classid 1:10 htb rate 5mbit ceil 20mbit \
			burst 1600b cburst 1600b prio 1 quantum 1514 &&
		ns l tc class add dev wan0 parent 1:1 classid 1:30 htb rate 10mbit ceil 10mbit \
			burst 15kb cburst 15kb prio 3 quantum 1514 &&
		ns l tc qdisc add dev wan0 parent 1:10 handle 10: tbf rate 10mbit burst 20kb latency 20ms &&
		ns l tc qdisc add dev wan0 parent 1:30 handle 30: pfifo limit 100 &&
		ns l tc filter add dev wan0 parent 1: protocol ip pref 10 u32 \
			match u32 0x0a000000 0xff000000 at 12 match u8 17 0xff at 9 flowid 1:30 &&
		ns l tc filter add dev wan0 parent 1: protocol all pref 20 bpf \
			bytecode "4,40 0 0 12,21 0 1 2048,6 0 0 262144,6 0 0 0," flowid 1:30
}

# All of it, sorted: in which order Linux tells classes is its hash's affair. What packets change is
# left out, and the queues of a port, which is all that refcnt counts.
said()
{
	sed 's/refcnt [0-9]*/refcnt/; s/direct_packets_stat [0-9]*/direct_packets_stat/;
		s/^ Sent .*/ Sent/; s/^ lended: [0-9]*/ lended:/; s/^ tokens: .*/ tokens/' | sort
}

linux_says() # [-s]
{
	local what
	for what in qdisc class filter; do
		# counters of a filter are the build of the kernel's
		if [ $what = filter ]; then ns l tc filter show dev wan0; else ns l tc "$@" $what show dev wan0; fi
	done
}

same_words()
{
	ctl show qos dev wan0 -o tc | said > "$T/ours.tc"
	linux_says | said > "$T/linux.tc"
	diff -u "$T/linux.tc" "$T/ours.tc" > "$T/diff" || note "$(cat "$T/diff")"
	[ ! -s "$T/diff" ]
}

same_statistics()
{
	ctl -s show qos dev wan0 -o tc | grep -v '^filter\|^  ' | said > "$T/ours.tc"
	linux_says -s | grep -v '^filter\|^  ' | said > "$T/linux.tc"
	diff -u "$T/linux.tc" "$T/ours.tc" > "$T/diff" || note "$(cat "$T/diff")"
	[ ! -s "$T/diff" ]
}

narrow()
{
	ctl "$@" > "$T/text" && ! awk 'length($0) > 80' "$T/text" | grep .
}

qos_topo && linux_topo || exit
router_start
is "without shaping there is nothing to show" "$(ctl -j show qos)" "[]"
check "a tree is loaded" shape "$tree"
check "Linux gets the same" linux_tree
check "-o tc says what tc says" same_words
check "-o tc -s says what tc -s says" same_statistics
check "a table of 80 columns" narrow show qos
check "with figures, too" narrow show qos -s
is "the tree" "$(ctl -j show qos | json - '" ".join(r["handle"] for r in d if r["handle"])')" \
	"1: 1:1 1:10 10: 10:1 1:30 30:"

check "the neighbour is known" flood_ready ours
"$B/routerctl" -R "$ROUTER_DIR" monitor qos dev wan0 > "$T/monitor" &
monitor=$!
"$B/routerctl" -R "$ROUTER_DIR" -j monitor qos --interval 0.5 > "$T/monitor.json" 2> "$T/monitor.end" &
monitor_json=$!
flood ours 1000 2500 4 > "$T/flood" & # 20 Mbit/s for 10
flood=$!
sleep 3
ctl -j show qos -s > "$T/qos"
check "with figures of traffic, 80 columns" narrow show qos -s
of() # HANDLE EXPRESSION
{
	json "$T/qos" "(lambda r: $2)([r for r in d if r['handle'] == '$1'][0])"
}
is "the rate now is that of the class" "$(of 1:30 "1200000 < r['rate'] < 1300000")" true
is "so is that of the port" "$(of 1: "1200000 < r['rate'] < 1300000")" true
is "what is above is sent, too" "$(of 1:1 "r['packets'] > 0")" true
is "it has a backlog" "$(of 1:30 "50 < r['qlen'] <= 100 and r['backlog'] == 996 * r['qlen']")" true
is "it drops" "$(of 1:30 "r['drops'] > 500")" true
is "packets stay as long as a hundred take" "$(of 1:30 "60000 < r['sojourn_us']['p50'] < 120000")" true
is "it waits at its ceil" "$(of 1:30 "r['xstats']['waited_rate'] > 500")" true
is "the filter has matched" "$(json "$T/qos" "[r for r in d if r['kind'] == 'filter'][0]['packets'] > 0")" true
wait $flood
kill -INT $monitor $monitor_json
wait $monitor $monitor_json
check "monitor tells rates" grep -E 'wan0 1:30 bulk rate (9[5-9]|10)[0-9]*[KM]bit [0-9]+p dropped' "$T/monitor"
is "and ends with what was lost" "$(tail -n 1 "$T/monitor")" "0 events lost"
is "monitor tells drops and times" "$(json "$T/monitor.json" \
	"sum(1 for r in d if r['handle'] == '1:30' and r['drops'] > 100 and r['p99_us'] > 60000) >= 3")" true
check "nothing is queued in the end" qos_idle
check "a reload without it" shape
is "leaves nothing to show" "$(ctl -j show qos)" "[]"
check_conservation
finish
