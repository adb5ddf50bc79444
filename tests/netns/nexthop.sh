#!/bin/bash
# tests/netns/nexthop.sh: next hops that Linux accepts where no prefix of an interface has them, and
# next hops that cannot be used, which `show routes` says. F17, F18.
#   a -- lan0 [r] wan0 -- b0 [b]
#                   o0 -- o1       o0 is not ours
. "$(dirname "$0")/../lib.sh"

state_of()
{
	ctl_json "[r['state'] + ''.join(' ' + h['state'] for h in r['nexthops'][:2])
		for r in d if r['dst'] == '$1'][0]" show routes
}
state_is()
{
	local state
	state=$(state_of "$1")
	echo "$state"
	[ "$state" = "$2" ]
}
says() # PREFIX STATE TEXT
{
	check "$1: state $2" eventually 8 state_is "$1" "$2"
	check "$1: the text says \"$3\"" sh -c "'$B/routerctl' -R '$ROUTER_DIR' show routes |
		grep -F '$1 ' | grep -qF '$3'"
}

topo_three
veth r o0 b o1
host_addr r o0 10.0.9.1/24
ip -n b addr add fe80::b/64 dev b0 nodad
for a in 10.99.0.1/32 10.77.0.1/32 2001:db8:99::1/128 2001:db8:77::1/128; do
	host_addr b b0 $a
done
for i in 1 2 3 4; do
	host_addr b lo 20.$i.0.1/32 2001:db8:f$i::1/128
done
# routes of the file need not be known to Linux's prefixes either
router_start - << 'EOF'
version: 1
interfaces: {lan0: {}, wan0: {}}
routing:
  routes:
    - {to: 20.2.0.0/16, via: "fe80::b", dev: wan0}
EOF

note "gateways that no prefix has"
route() { ip -n r route add "$@"; }
check "onlink" route 20.1.0.0/16 via 10.99.0.1 dev wan0 onlink
check "a gateway with a device route of its own" \
	eval "route 10.77.0.1/32 dev wan0 && route 20.3.0.0/16 via 10.77.0.1"
check "an object, onlink" eval "ip -n r nexthop add id 4 via 10.99.0.1 dev wan0 onlink &&
	route 20.4.0.0/16 nhid 4"
check "IPv6: onlink" route 2001:db8:f1::/48 via 2001:db8:99::1 dev wan0 onlink
check "IPv6: link-local" route 2001:db8:f2::/48 via fe80::b dev wan0
check "IPv6: a gateway with a device route of its own" \
	eval "route 2001:db8:77::1/128 dev wan0 && route 2001:db8:f3::/48 via 2001:db8:77::1"
for to in 20.1.0.1 20.2.0.1 20.3.0.1 20.4.0.1 2001:db8:f1::1 2001:db8:f2::1 2001:db8:f3::1; do
	check "$to is reached" eventually 5 ns a ping -q -c 1 -W 1 $to
done
check_not "Linux takes no gateway that is nowhere" route 20.5.0.0/16 via 10.98.0.1
check_not "nor one behind a gateway" route 20.5.0.0/16 via 20.1.0.1
check_not "nor does IPv6" route 2001:db8:f5::/48 via 2001:db8:98::1

note "next hops that cannot be used"
route 30.1.0.0/16 via 10.0.9.2
says 30.1.0.0/16 "not-ours not-ours" "via 10.0.9.2 dev o0 (not-ours)"
check_not "it leads nowhere" ns a ping -q -c 2 -i 0.2 -W 1 30.1.0.1
is "and is counted" "$(drops egress-not-ours)" 2
route 30.2.0.0/16 via 10.0.2.99
check "nobody there: the sender is told" eventually 8 \
	sh -c "nsenter --net=/run/netns/a ping -c 1 -W 4 30.2.0.1 | grep 'Destination Host Unreachable'"
says 30.2.0.0/16 "active failed" "via 10.0.2.99 dev wan0 (failed)"
route 30.3.0.0/16 nexthop via 10.0.2.99 nexthop via 10.0.2.2
ip -n b route add local 30.3.0.0/24 dev lo
check "with another hop, which answers, no flow is lost" ns a sh -c 'for i in 1 2 3 4 5 6 7 8; do
	ping -q -c 1 -W 1 30.3.0.$i || exit; done'
if route 30.4.0.0/16 encap ip id 3 dst 10.0.2.2 via 10.0.2.2 dev wan0 2> "$T/why"; then
	says 30.4.0.0/16 "encap encap" "via 10.0.2.2 dev wan0 (encap)"
else
	skip "30.4.0.0/16: a tunnel" "$(head -n 1 "$T/why")"
fi
many=$(for i in $(seq 3 202); do echo "nexthop via 10.0.2.$i"; done)
# shellcheck disable=SC2086 # words
route 30.6.0.0/16 $many
check "200 next hops are more than we take" \
	eventually 3 sh -c "'$B/routerctl' -R '$ROUTER_DIR' show routes | grep 30.6.0.0/16 | grep -w truncated"
is "all messages made sense" "$(ctl_json 'd["netlink_malformed"]' show status)" 0
check_conservation
finish
