#!/bin/bash
# tests/netns/reload_flows.sh: 100,000 flows go on through NAT while the rules change: none gets
# another outside port, none is forgotten, and what the new rules say holds from the next packet on.
# check: heavy
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../peers.sh"

pktgen=$B/tests/tools/pktgen
flows=100000 rate=50000
case $B in *san-*) flows=20000 rate=10000 ;; esac
tenth=$((flows / 10)) period=$((flows / rate)) # seconds for a packet of each flow

# The ports from which NAT starts, and a rule of the filter.
config() # FIRST-PORT [RULE]
{
	cat <<- END
	version: 1
	interfaces: {lan0: {}, wan0: {}}
	nat:
	  source:
	    - {name: extra, from: 10.0.1.2, to: 192.0.2.$(($1 % 256)), action: none}
	    - {name: home, from: [10.0.0.0/8], out: wan0, action: masquerade, ports: $1-65535}
	filter: {own: {hook: forward, priority: filter, rules: [${2:-}]}}
	END
}

# dump FILE [DESTINATION]: the flows of the generator, as they stand
dump()
{
	ctl -s -j show conntrack proto udp dst "${2:-20.0.0.0/24}" > "$1"
}

# compare BEFORE AFTER: how many there are in each, how many of the first are not in the second with
# the same tuples, and to how many hosts every flow has sent since
compare()
{
	/usr/bin/python3 - "$@" <<- 'END'
	import json, sys
	def tuples(name):
	    def end(e): return e["src"], e["dst"], e["sport"], e["dport"]
	    return {end(f["orig"]) + end(f["reply"]): f["orig"]["packets"] for f in json.load(open(name))}
	before, after = tuples(sys.argv[1]), tuples(sys.argv[2])
	moved = {}
	for t, n in before.items():
	    moved.setdefault(t[1], []).append(after.get(t, 0) > n)
	print(len(before), len(after), len(before.keys() - after.keys()),
	      sum(all(m) for m in moved.values()), sum(any(m) for m in moved.values()))
	END
}

# moved BEFORE AFTER RESULT [HOST]: compares what is there now, kept as AFTER. A machine that is busy sends
# not all of a round in its time, and drops some.
moved()
{
	dump "$2" ${4:+"$4"}
	compare "$1" "$2" | tee "$T/compared"
	[ "$(cat "$T/compared")" = "$3" ]
}

resident()
{
	awk '/VmRSS/ { print $2 }' "/proc/${lib_pid[$ROUTER_DIR]}/status"
}

live()
{
	ctl_json 'd["live"]' show conntrack stats
}

topo_three
ip -n r route add 10.100.0.0/16 via 10.0.1.2
ip -n r route add 20.0.0.0/24 via 10.0.2.2
mac=$(ip -n r -j link show dev lan0 | json - 'd[0]["address"]')
config 20000 > "$T/first.yaml"
router_start "$T/first.yaml"
check "it forwards" eventually 5 ns a ping -q -c 1 -W 1 10.0.2.2

ns_bg b "$pktgen" sink b0 --time 100 --drain 1 -j > "$T/sink"
sink=$!
check "the sink is ready" eventually 5 grep -q ready "$T/sink"
ns_bg a "$pktgen" gen a0 --dst-mac "$mac" --src 10.100.0.1-10.100.3.232 --dst 20.0.0.1-20.0.0.10 \
	--sport 5000-5009 --dport 9 --flows $flows --rate $rate --time 100 --udp-checksum -j > "$T/gen"
gen=$!
all_there()
{
	[ "$(live)" -ge $flows ]
}
check "$flows flows" eventually 15 all_there
memory=$(resident)
dump "$T/before"
check "a reload that changes NAT and filter" reload_with \
	< <(config 30000 '{name: other, to: 20.0.1.0/24, action: drop}')
sleep $period
check "every flow is where it was, and goes on" \
	eventually 20 moved "$T/before" "$T/after" "$flows $flows 0 10 10"
check "a reload with a rule against one of ten hosts" reload_with \
	< <(config 30000 '{name: one, to: 20.0.0.7, action: drop}')
sleep 0.5 # a burst under way
dropped=$(drops filter-rule)
for host in 7 8; do dump "$T/before.$host" 20.0.0.$host; done
sleep $period
check "stops nobody else's" eventually 20 moved "$T/before.8" "$T/after.8" "$tenth $tenth 0 1 1" 20.0.0.8
dump "$T/after.7" 20.0.0.7
is "and that one's at once" "$(compare "$T/before.7" "$T/after.7")" "$tenth $tenth 0 0 0"
now=$(drops filter-rule)
check "its packets are dropped with the reason" [ $((now - dropped)) -ge $tenth ]
for i in 1 2 3 4 5; do
	config 3000$i > "$CONF"
	ctl reload --wait > "$T/reload" 2>&1 || not_ok "reload $i" "$(cat "$T/reload")"
done
sleep $period
check "after five more, without that rule, all go on" \
	eventually 20 moved "$T/after" "$T/later" "$flows $flows 0 10 10"
note "memory: $memory KiB with all flows, $(resident) KiB after 7 reloads"
case $B in
*san-*) skip "memory is what it was" "a sanitizer keeps what was freed" ;;
*) check "memory is what it was" [ "$(resident)" -lt $((memory + memory / 10 + 8192)) ] ;;
esac
kill -INT $gen
wait $gen
check "a ping behind the last of them" ns a ping -q -c 1 -W 5 10.0.2.2 # as long as the queue may be
kill -INT $sink
wait $sink
# A busy machine may keep the worker waiting until Linux has no more posted frames, or Linux until a
# veth takes no more: lost, but counted.
sent=$(json "$T/gen" 'd["packets"] - d["dropped"]') came=$(tail -n 1 "$T/sink" | json - 'd["packets"]')
lost=$(ctl_json 'sum(r["packets"] for r in d if r["stage"] == "kernel" or
	r["reason"] in ("tx-ring-full", "tx-device"))' show drops)
[ "$lost" = 0 ] || note "$lost packets were lost to a busy machine"
is "what was sent and not dropped by the rule came out" $((sent - lost - came)) "$(drops filter-rule)"

note "flush"
is "of one host" "$(ctl flush conntrack dst 20.0.0.3)" "$tenth flows removed"
is "the others stay" "$(ctl show conntrack stats | awk '$1 == "live" { print ($2 >= want) }' want=$((flows - tenth)))" 1
ctl flush conntrack proto udp > "$T/flush"
check "of all: no port stays taken" eventually 5 sh -c "[ \"\$($B/routerctl -R $ROUTER_DIR -j show nat ports |
	python3 -c 'import json, sys; print(sum(r[\"udp\"][\"taken\"] for r in json.load(sys.stdin)))')\" = 0 ]"

note "monitor"
"$B/routerctl" -R "$ROUTER_DIR" -j monitor conntrack proto udp dst 20.0.0.0/24 \
	> "$T/events" 2> "$T/events.err" &
monitor=$!
sleep 0.5
ns a "$pktgen" gen a0 --dst-mac "$mac" --src 10.100.0.1-10.100.3.232 --dst 20.0.0.1 \
	--sport 5000 --dport 9 --flows 1000 --rate 10000 --count 3000 -j > "$T/gen"
eventually 5 sh -c "[ \$(grep -c '\"new\"' $T/events) = 1000 ]" > "$T/seen"
ctl flush conntrack proto udp > "$T/flush"
eventually 5 sh -c "[ \$(grep -c '\"destroy\"' $T/events) = 1000 ]" > "$T/seen"
kill -INT $monitor
wait $monitor
is "tells of 1000 flows, once when they begin, once when they end" "$(/usr/bin/python3 - "$T/events" <<- 'END'
	import collections, json, sys
	seen = collections.Counter()
	for line in open(sys.argv[1]):
	    line = line.strip().strip("[],")
	    if line.startswith("{"):
	        e = json.loads(line)
	        if "event" in e: seen[e["event"], e["orig"]["src"], e["orig"]["sport"]] += 1
	print(sum(k[0] == "new" for k in seen), sum(k[0] == "destroy" for k in seen), set(seen.values()))
END
)" "1000 1000 {1}"
tail -n 2 "$T/events.err" | sed 's/^/# /'
check_conservation
finish
