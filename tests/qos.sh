# shellcheck shell=bash disable=SC2034
# tests/qos.sh - what the tests of shaping share. Source it after lib.sh and peers.sh.
#
#   qos_topo                     topo_three, and 20.0.0.0/24 behind b, which says nothing
#   linux_topo                   the same with Linux as the router, for comparison: hosts la and lb,
#                                addresses 10.1.x where topo_three has 10.0.x; its egress is wan0 in l
#   shape [YAML]                 reloads with this as the egress of wan0, {flow style}; without: none
#   qos HANDLE KEY               a number of `show qos -s` of wan0's qdisc or class with that handle
#   qos_idle                     nothing is queued any more in wan0's tree, nor held in memory
#   flood NAME SIZE PPS SECONDS [SPORTS]
#                                UDP through the router of NAME (ours or linux), frames of SIZE bytes
#                                with FCS; what came out is in $T/NAME.sink, what went in in .gen
#   flood_stop NAME              before its time, if it was started in the background
#   bulk_server NS [PORT...] | bulk_stop
#                                iperf3 listens there, one process a port, and leaves a JSON document
#                                a run in $T/iperf3.PORT.log
#   qos_conf [YAML]              reloads with these top-level keys and the interfaces of zones_topo
#   refused WHAT ERROR YAML      a check: the same is refused, and ERROR is what it says first
#   send NS ADDR PORT [OPTION...]    datagrams.py, which says how many it has sent
#   see NS PORT... | see_end     counts what comes there; then: came PORT EXPRESSION of its report `r`
#   filter_row MATCH KEY         a number of `show qos -s` of the filter or mirror with that match
#   near GOT WANT SHARE          is it, give or take?
#   retry CMD...                 once more if it fails: what is measured needs a CPU when it does
#   line RATE LEAF               for shape: a line of that rate, one class of htb with this leaf, 10:
#   rtt SECONDS                  a call from a to b, a packet each 10 ms: microseconds of the median
#                                and of the 99th percentile in $p50, $p99; $answered percent were
#   rtt_loaded SECONDS           the same beside four CUBIC flows, which get $bulk bits a second
#   jain FLOWS SECONDS           Jain's index of so many CUBIC flows in $jain, their bytes in $flow_bytes
pktgen=$B/tests/tools/pktgen
datagrams=(/usr/bin/python3 "$lib_top/tests/tools/datagrams.py")
bulk_pids=()
seer=

# What arrives for 20.0.0.0/24 is nobody's: no answers disturb the count.
qos_topo()
{
	topo_three && ip -n r route add 20.0.0.0/24 via 10.0.2.2
}

linux_topo()
{
	ns_add la l lb || return
	veth la a0 l lan0 && veth l wan0 lb b0 || return
	host_addr la a0 10.1.1.2/24 && host_addr l lan0 10.1.1.1/24 &&
		host_addr l wan0 10.1.2.1/24 && host_addr lb b0 10.1.2.2/24 || return
	ip -n la route add default via 10.1.1.1 && ip -n lb route add default via 10.1.2.1
	ip -n l route add 20.0.0.0/24 via 10.1.2.2
	ns l sysctl -qw net.ipv4.ip_forward=1
	ns l ethtool -K lan0 gro on # a veth takes pktgen's frames if its end polls
}

shape()
{
	local tree=
	[ -z "${1:-}" ] || tree="qos: {wan0: {egress: $1}}"
	reload_with <<- END
	version: 1
	interfaces: {lan0: {}, wan0: {}}
	$tree
	END
}

qos()
{
	ctl_json "[r for r in d if r['dev'] == 'wan0' and r['handle'] == '$1'][0]['$2']" show qos -s
}

qos_empty()
{
	ctl -j show qos -s dev wan0 > "$T/qos" && cat "$T/qos" &&
		[ "$(json "$T/qos" 'sum((r.get("backlog") or 0) + (r.get("qlen") or 0) for r in d)')" = 0 ]
}

qos_idle()
{
	eventually "${1:-5}" qos_empty
}

flood()
{
	local name=$1 size=$2 pps=$3 seconds=$4 sports=${5:-1024-1039} from=a router=r to=b net=10.0 sink
	[ "$name" != linux ] || from=la router=l to=lb net=10.1
	ns_bg $to "$pktgen" sink b0 --time 600 --drain 0.5 -j > "$T/$name.sinking"
	sink=$!
	eventually 5 grep -q ready "$T/$name.sinking" > "$T/ready" || return
	ns_bg $from "$pktgen" gen a0 --dst-mac "$(ip -n $router -j link show lan0 | json - 'd[0]["address"]')" \
		--src $net.1.2 --dst 20.0.0.1 --sport "$sports" --dport 9 --flows 16 --size "$size" \
		--rate "$pps" --time "$seconds" -j > "$T/$name.gen"
	echo $! > "$T/$name.pid"
	wait $!
	kill -INT $sink
	wait $sink
	tail -n 1 "$T/$name.sinking" > "$T/$name.sink"
}

# flood_stop NAME: before its time
flood_stop()
{
	kill -INT "$(cat "$T/$1.pid")"
}

# The neighbour behind a router is asked for before anything counts.
flood_ready()
{
	local to=10.0.2.2 from=a
	[ "$1" != linux ] || to=10.1.2.2 from=la
	eventually 5 ns $from ping -q -c 1 -W 1 $to
}

bulk_server()
{
	local n=$1 port
	shift
	[ $# != 0 ] || set -- 5201
	for port in "$@"; do
		ns_bg "$n" iperf3 -s -J -p "$port" > "$T/iperf3.$port.log" 2>&1
		bulk_pids+=($!)
		eventually 5 sh -c "nsenter --net=/run/netns/$n ss -Hlnt sport = :$port | grep ." || return
	done
}

line()
{
	echo "{root: {htb: {default: all}, handle: \"1:\"}, classes: {all: {handle: \"1:10\",
		rate: $1, leaf: {$2, handle: \"10:\"}}}}"
}

rtt()
{
	ns a irtt client -i 10ms -d "${1}s" -l 172 -Q -o "$T/rtt.json" 10.0.2.2 > "$T/irtt" 2>&1 || {
		cat "$T/irtt"
		return 1
	}
	read -r p50 p99 answered < <(/usr/bin/python3 - "$T/rtt.json" <<- 'END'
	import json, sys
	trips = json.load(open(sys.argv[1]))["round_trips"]
	rtt = sorted(t["delay"]["rtt"] / 1000 for t in trips if t["lost"] == "false")
	print(*(round(rtt[int(len(rtt) * p)]) for p in (0.5, 0.99)), round(100 * len(rtt) / len(trips)))
	END
	)
}

rtt_loaded()
{
	local flows
	ns a iperf3 -c 10.0.2.2 -P 4 -C cubic -t $(($1 + 4)) -J > "$T/bulk.json" &
	flows=$!
	sleep 2
	rtt "$1" || return
	wait $flows || return
	bulk=$(json "$T/bulk.json" 'round(d["end"]["sum_received"]["bits_per_second"])')
}

jain()
{
	ns a iperf3 -c 10.0.2.2 -P "$1" -C cubic -t "$2" -O 2 -J > "$T/flows.json" || return
	flow_bytes=$(json "$T/flows.json" '" ".join(str(s["receiver"]["bytes"]) for s in d["end"]["streams"])')
	jain=$(awk '{ for (i = 1; i <= NF; i++) { sum += $i; squares += $i * $i }
		printf "%.4f", sum * sum / NF / squares }' <<< "$flow_bytes")
}

bulk_stop()
{
	[ ${#bulk_pids[@]} = 0 ] || kill "${bulk_pids[@]}"
	wait "${bulk_pids[@]}" 2> "$T/ended"
	bulk_pids=()
}

qos_conf()
{
	reload_with <<- END
	version: 1
	interfaces: {lan0: {}, wan0: {}, guest0: {}}
	${1:-}
	END
}

refused()
{
	local said
	said=$(qos_conf "$3" 2>&1) && { not_ok "$1: refused" "$said"; return; }
	is "$1" "$(grep -m 1 ': error: ' <<< "$said" | sed 's/^.*: error: //')" "$2"
}

send()
{
	ns "$1" "${datagrams[@]}" send "${@:2}"
}

see()
{
	ns_bg "$1" "${datagrams[@]}" see "${@:2}" > "$T/datagrams"
	seer=$!
	eventually 5 grep -q ready "$T/datagrams" > "$T/ready" || not_ok "the receiver in $1 is ready"
}

see_end()
{
	sleep "${1:-0.3}" # what is on its way
	kill -INT "$seer"
	wait "$seer"
	tail -n 1 "$T/datagrams" > "$T/came"
}

came()
{
	json "$T/came" "(lambda r: $2)(d['$1'])"
}

filter_row()
{
	ctl_json "sum(r['$2'] for r in d if r['kind'] == 'filter' and r['options']['match'] == '$1')" show qos -s
}

near()
{
	awk -v got="$1" -v want="$2" -v share="$3" \
		'BEGIN { exit !(got >= want * (1 - share) && got <= want * (1 + share)) }'
}

retry()
{
	"$@" || { note "once more, on a busy machine" && "$@"; }
}
