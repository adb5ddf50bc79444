#!/bin/bash
# tests/netns/redirect.sh: packets to other hosts that the router answers itself: redirect.
. "$(dirname "$0")/../lib.sh"
. "$lib_top/tests/peers.sh"
config() # REDIRECTS: lines of nat.destination
{
	cat <<- END
	version: 1
	interfaces: {lan0: {}, lan0.20: {}, guest0: {}, wan0: {}}
	zones:
	  lan: {interfaces: [lan0], input: drop, forward-to: [wan]}
	  guest: {interfaces: [guest0, lan0.20], input: drop, forward-to: [wan]}
	  wan: {interfaces: [wan0], input: drop, forward-to: [lan]}
	conntrack: {}
	$1
	END
}
both='nat: {destination: [
	  {name: dns, in: lan, proto: [tcp, udp], dport: [53, 5300-5309], action: redirect, to-port: 5353},
	  {name: web, in: lan0.20, proto: tcp, dport: 80, action: redirect}]}'
passed() # packets that XDP left to Linux because of a redirect
{
	ctl_json "sum(r['verdicts']['pass-redirect'] for r in d if r['queue'] == 0)" show xdp
}

# vlan VID: lan0.20 and a0.20 become of it
vlan()
{
	ip -n r link del lan0.20 2> /dev/null
	ip -n a link del a0.20 2> /dev/null
	ip -n r link add lan0.20 link lan0 type vlan id "$1" && ip -n r link set lan0.20 up &&
		ip -n a link add a0.20 link a0 type vlan id "$1" && ip -n a link set a0.20 up &&
		host_addr a a0.20 10.0.20.2/24 && host_addr r lan0.20 10.0.20.1/24 &&
		ip -n a route add 9.9.9.9 via 10.0.20.1 table 20 &&
		ip -n a rule add from 10.0.20.2 table 20
}
web_in_vlan()
{
	[ "$(ask a tcp 9.9.9.9 80 --wait 1 --from 10.0.20.2 | cut -d' ' -f1)" = "$1" ]
}
vlans=

zones_topo
host_addr b lo 9.9.9.9/32 2620:fe::fe/128
ip -n r route add 9.9.9.9 via 10.0.2.2 && ip -n r -6 route add 2620:fe::fe via 2001:db8:2::2
vlan 20 2> "$T/vlan" && vlans=1
config "$both" > "$T/first.yaml"
router_start "$T/first.yaml"
check "it forwards" eventually 5 ns a ping -q -c 1 -W 1 9.9.9.9
serve r tcp:5353 udp:5353 tcp:80
serve b tcp:54-55 udp:54-55 # not 53: who answers there is the router

note "redirected"
for to in 9.9.9.9 2620:fe::fe; do
	case $to in *:*) from=2001:db8:1::2 ;; *) from=10.0.1.2 ;; esac
	answers "$to: UDP, as if it came from there" a udp $to 53 $from
	answers "$to: TCP" a tcp $to 53 $from
	answers "$to: a port of a range" a udp $to 5309 $from
	answers "$to: another port is not" a udp $to 54 $from
	answers "$to: nor of TCP" a tcp $to 55 $from
	answers "$to: another interface does not redirect" g udp $to 53 refused
done
answers "a host that is not there" a udp 192.0.2.77 53 10.0.1.2
answers "what is redirected is let in, other things are not" a udp 10.0.1.1 5353 silent
if [ $vlans ]; then
	check "a VLAN redirects what its own rules say" web_in_vlan 10.0.20.2
	answers "and no more" a udp 9.9.9.9 53 refused --from 10.0.20.2
	vlan 30
	check "also with another number" eventually 5 web_in_vlan 10.0.20.2
else
	skip "a VLAN redirects what its own rules say" "no VLANs here"
fi
answers "its port does not what the VLAN's say" a tcp 9.9.9.9 80 refused
check "datagrams in fragments" ns a /usr/bin/python3 - <<- END
	import socket
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	s.connect(("9.9.9.9", 53)); s.settimeout(2)
	s.send(b"x" * 4000)
	assert s.recv(5000).startswith(b"10.0.1.2 ")
END
check "XDP counts them" [ "$(passed)" -ge 15 ]
check "show nat counts flows" ctl_json "[r['flows'] for r in d if r['name'] == 'dns'][0] >= 8 or 1 / 0" show nat
is "the daemon has none of them" "$(ctl -j show conntrack dport 53 src 10.0.1.2)" "[]"

note "reload"
hold talk a tcp 9.9.9.9 54 3
is "conversations of others" "$(again talk)" "3 0"
check "a reload without" reload_with < <(config "")
answers "redirects no more" a udp 9.9.9.9 53 refused
[ ! $vlans ] || check "on no interface" web_in_vlan refused
is "others do not notice" "$(again talk)" "3 0"
check_not "nothing of it is left in nftables" sh -c \
	"nsenter --net=/run/netns/r nft list ruleset | grep -q 'redirect to'"
check "and back" reload_with < <(config "$both")
answers "redirects again" a udp 9.9.9.9 53 10.0.1.2
hold_end talk

router_kill
router_start "$CONF"
answers "after a kill" a udp 9.9.9.9 53 10.0.1.2
check_conservation
finish
