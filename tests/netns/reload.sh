#!/bin/bash
# tests/netns/reload.sh: the file changes under a running router, and between a kill and a start.
. "$(dirname "$0")/../lib.sh"
ns_add a r b
veth a a0 r lan0 && veth r wan0 b b0
host_addr a a0 10.0.1.2/24 && host_addr b b0 10.0.2.2/24
ip -n b addr add 192.0.2.1/24 dev lo
ip -n a route add default via 10.0.1.1 && ip -n b route add default via 10.0.2.1

wan_mac=$(ip -n r -j link show dev wan0 | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["address"])')

config() # LAN-KEY [DESTINATION]...: routes over b
{
	cat <<- END
	version: 1
	router: { xdp: { mode: ${MODE:-best-effort} } }
	${CONNTRACK:-}
	interfaces:
	  $1: { match: { name: lan0 }, addresses: [ 10.0.1.1/24 ] }
	  wan0: { match: { mac: $wan_mac }, addresses: [ 10.0.2.1/24 ] }
	routing:
	  routes: [ $(shift; for d in "$@"; do echo "{ to: $d, via: 10.0.2.2 },"; done) ]
	END
}
reload()
{
	config "$@" > "$CONF"
	ctl reload --wait
}
ping_through()
{
	ns a ping -q -c 1 -W 1 10.0.2.2
}
ping_beyond() # by the route of the file
{
	ns a ping -q -c 1 -W 1 192.0.2.1
}
attached()
{
	ctl_json "{r['attached'] for r in d} == {'$1'}" show xdp | grep -q true
}
has_route()
{
	ip -n r route show "$1" | grep -q .
}

config lan0 192.0.2.0/24 > "$T/first.yaml"
router_start "$T/first.yaml"
check "an interface found by its MAC address has its address at once" \
	sh -c 'ip -n r addr show dev wan0 | grep -q "10.0.2.1/24"'
check "packets go through" eventually 3 ping_through
check "the routes of the file are there" has_route 192.0.2.0/24

# ---- another key for the same device
ip -n r route add 203.0.113.0/24 via 10.0.1.2 # Linux takes it away with the address
check "and lead somewhere" eventually 3 ping_beyond
check "a new key for a device is taken" reload office 192.0.2.0/24
check "and forwards" eventually 3 ping_through
sleep 0.3
check "the address never left: a route over it is still there" has_route 203.0.113.0/24
is "the port has its new name" "$(ctl_json 'sorted(r["name"] for r in d)' show interfaces)" \
	'["office", "wan0"]'

# ---- another mode for all
MODE=generic check "the mode of all ports changes" reload office 192.0.2.0/24
check "to what was asked for" eventually 3 attached generic
check "and packets go through" eventually 3 ping_through
check "and by a gateway" eventually 3 ping_beyond
check "back again" reload office 192.0.2.0/24
check "to native" eventually 3 attached native
check "and packets go through" eventually 3 ping_through
check "and by a gateway" eventually 3 ping_beyond
check_conservation

# ---- tables that are made once, and stay when they are not asked for
CONNTRACK='conntrack: {max: 4096}' check "connection tracking begins" reload office 192.0.2.0/24
is "with tables of the size asked for" "$(ctl_json 'd["max"]' show conntrack stats)" 4096
check "and packets go through" eventually 3 ping_through
check "it ends" reload office 192.0.2.0/24
CONNTRACK='conntrack: {max: 8192}' reload office 192.0.2.0/24 > "$T/said"
is "when it begins anew, the operator is told of the tables" \
	"$(grep -c 'conntrack: sizes.*take effect when the router is stopped and started' "$T/said")" 1
is "which are those of before" "$(ctl_json 'd["max"]' show conntrack stats)" 4096
check "and packets go through" eventually 3 ping_through
CONNTRACK='conntrack: {max: 4096}' reload office 192.0.2.0/24 > "$T/said"
check_not "who asks for what there is hears nothing" grep conntrack: "$T/said"
check_conservation

# ---- killed, and the file changed before the next start
config office 192.0.2.0/24 > "$CONF"
check "reload" ctl reload --wait
config office 198.51.100.0/24 > "$T/next.yaml"
router_kill
router_start "$T/next.yaml"
is "when it says that it runs, its ports are open" \
	"$(ctl_json '[r["state"] for r in d]' show interfaces)" '["up", "up"]'
check "and packets go through" eventually 3 ping_through
check_not "the route of the old file is gone" has_route 192.0.2.0/24
check "that of the new one is there" has_route 198.51.100.0/24
check_conservation
finish
