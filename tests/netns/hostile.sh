#!/bin/bash
# tests/netns/hostile.sh: clients of the control socket do their worst (tests/tools/hostile.py). Packets go on,
# those that need control, too; the operator is answered; no descriptor and no memory stays behind.
# check: release-only
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../load.sh"

# verdict KIND EXPR: of what hostile.py said of it
verdict()
{
	python3 -c 'import json, sys
for line in open(sys.argv[1]):
    d = json.loads(line)
    if d["kind"] == sys.argv[2]:
        print(line.strip())
        sys.exit(not eval(sys.argv[3]))
sys.exit("it did not end")' "$T/hostile" "$1" "$2"
}

# control_works: pings to addresses that Linux has yet to resolve for us, and reloads
control_works()
{
	local i
	for ((i = 10; i < 20; i++)); do
		ns a ping -q -c 1 -W 1 "10.0.2.$i" && ctl reload || return
		sleep 0.5
	done
}

topo_three
for ((i = 10; i < 20; i++)); do host_addr b b0 "10.0.2.$i/24"; done
ip -n r route add 10.100.0.0/16 via 10.0.1.2
( # begins when it is told of a router, with more descriptors than that may have
	until [ -s "$T/go" ]; do sleep 0.1; done
	exec /usr/bin/python3 "$lib_top/tests/tools/hostile.py" "$ROUTER_DIR" "$(cat "$T/go")"
) > "$T/hostile" 2> "$T/hostile.err" &
hostile=$!
ulimit -n 600
router_start - <<- END
	version: 1
	router: {xdp: {ring-size: 8192}}
	interfaces: {lan0: {}, wan0: {}}
	conntrack: {max: 100000}
END
passes "it forwards"
ns a "$B/tests/tools/pktgen" gen a0 --dst-mac "$(mac_of r lan0)" --src 10.100.0.1-10.100.3.232 --dst 10.0.2.2 \
	--sport 5000-5019 --flows 20000 --count 20000 --rate 20000 > "$T/flows" 2>&1
note "$(ctl_json 'd["live"]' show conntrack stats) flows"
load_start 2000
router_pid > "$T/go"
check "neighbours are resolved meanwhile, each within a second, and reloads go on" control_works
wait $hostile || not_ok "hostile.py ends well" "$(cat "$T/hostile.err")"
load_stop
for kind in unread drip half endless crowd garbage cut monitors flood; do
	check "$kind: the operator is answered within a second" verdict $kind 'not d["unanswered"] and d["operator_ms"] < 1000'
	check "$kind: no descriptor is left, and clients see what they should" verdict $kind 'd["fds"] <= 0 and not d["wrong"]'
	check "$kind: memory stays what it is" verdict $kind 'd["most_kib"] < 24576 and d["left_kib"] < 8192'
done
cat "$T/hostile" | sed 's/^/# /'
is "no packet is lost" "$load_lost" 0
is "and 99 of 100 are forwarded within 20 ms" "$(tail -n 1 "$T/load.sink" | json - 'd["latency_ns"]["p99"] < 20000000')" true
note "latency: $(tail -n 1 "$T/load.sink" | json - 'd["latency_ns"]')"
check_conservation
finish
