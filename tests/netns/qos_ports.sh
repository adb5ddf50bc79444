#!/bin/bash
# tests/netns/qos_ports.sh: a tree whose port is not there yet, goes away full, comes back, or is set
# down: it is shown and changed all the same, nothing waits for it, nothing is lost without a reason.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../peers.sh"
. "$(dirname "$0")/../qos.sh"

config() # RATE
{
	cat <<- END
	version: 1
	router: {workers: {count: 2}}
	interfaces: {lan0: {}, wan0: {}}
	qos: {wan0: {egress: {root: {htb: {default: all}, handle: "1:"},
		classes: {all: {handle: "1:10", rate: $1, ceil: $1, leaf: {fq_codel: {}}}}}}}
	END
}

reload_in_time() # SECONDS
{
	local since=${EPOCHREALTIME/./}
	ctl reload --wait && [ $((${EPOCHREALTIME/./} - since)) -lt $(($1 * 1000000)) ]
}

# of both workers, in ticks of 10 ms
worked()
{
	local pid=${lib_pid[$ROUTER_DIR]}
	grep -lx 'worker-[01]' /proc/"$pid"/task/*/comm | sed 's/comm$/stat/' | xargs cat |
		awk '{ n += $14 + $15 } END { print n }'
}

idle_for_a_second()
{
	local before
	before=$(worked)
	sleep 1
	[ $(($(worked) - before)) -lt 20 ]
}

wan_is()
{
	[ "$(ctl_json '[r["state"] for r in d if r["name"] == "wan0"][0]' show interfaces)" = "$1" ]
}

wan_new() # b answers from the first request on: the next one is a second later
{
	veth r wan0 b b0 && host_addr b b0 10.0.2.2/24 && host_addr r wan0 10.0.2.1/24 &&
		ip -n b route add default via 10.0.2.1
}

has_backlog()
{
	[ "$(qos 1:10 qlen)" -ge 20 ]
}

note "no port at all"
ns_add r
config 1mbit > "$T/first.yaml"
router_start "$T/first.yaml"
check "a tree that nobody has run is shown" ctl show qos -s
check "in tc's words, too" ctl show qos -s -o tc
config 2mbit > "$CONF"
check "and changed at once" reload_in_time 1
is "it has its new rate" "$(ctl_json '[r for r in d if r["handle"] == "1:10"][0]["options"]["rate"]' show qos)" 250000
check "nobody waits for it" idle_for_a_second

note "the port appears"
ns_add a b
veth a a0 r lan0 && host_addr r lan0 10.0.1.1/24 && host_addr a a0 10.0.1.2/24 &&
	ip -n a route add default via 10.0.1.1 && wan_new
check "and is shaped" eventually 10 ns a ping -q -c 1 -W 1 10.0.2.2
is "by the rate that was changed" "$(ctl show qos -s dev wan0 | grep -c 'rate 2Mbit ceil 2Mbit')" 1

note "and goes, full"
load()
{
	ns_bg a "$pktgen" gen a0 --dst-mac "$(ip -n r -j link show lan0 | json - 'd[0]["address"]')" \
		--src 10.0.1.2 --dst 10.0.2.2 --sport 1024-1039 --dport 9 --flows 16 --size 1000 --rate 2000 \
		--time 60 -j > "$T/gen"
	gen=$!
}
load
check "packets wait" eventually 5 has_backlog
ip -n r link del wan0
check "it is gone" eventually 5 wan_is absent
check "the tree is changed while there is none" reload_in_time 1
wan_new
check "it comes back" eventually 10 wan_is up
check "and sends" eventually 20 ns a ping -q -c 1 -W 9 10.0.2.2
ip -n r link set wan0 down
config 3mbit > "$CONF"
check "it is changed while it is down" reload_in_time 1
ip -n r link set wan0 up
check "it sends again" eventually 20 ns a ping -q -c 1 -W 9 10.0.2.2
kill -INT $gen
wait $gen
check "nothing is left" qos_idle 30

note "what is no port"
if ip -n r link add wan0.20 link wan0 type vlan id 20 2> "$T/vlan"; then
	sed -i 's/wan0: {}/wan0: {}, wan0.20: {}/; s/^qos: {/&wan0.20: {egress: {root: {pfifo: {}}}}, /' "$CONF"
	check "a VLAN is taken" ctl reload --wait
	check "but not silently" grep "wan0.20 is a VLAN" "$(lib_log)"
else
	skip "who shapes a VLAN is warned" "$(cat "$T/vlan")"
fi

check "and nobody waits for anything" idle_for_a_second
check_conservation
finish
