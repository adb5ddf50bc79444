#!/bin/bash
# tests/netns/input.sh: rules about the router itself, which Linux applies: zones, sets by hand.
. "$(dirname "$0")/../lib.sh"
. "$lib_top/tests/peers.sh"
config() # MORE RULES
{
	cat <<- END
	version: 1
	interfaces: {lan0: {}, guest0: {}, wan0: {}}
	sets:
	  banned: {type: address}
	  nets: {type: prefix}
	zones:
	  lan: {interfaces: [lan0], input: drop, forward-to: [wan]}
	  guest: {interfaces: [guest0], input: drop, forward-to: [wan]}
	  wan: {interfaces: [wan0], input: drop}
	filter:
	  bans:
	    hook: input
	    priority: mangle
	    rules:
	      - {name: ban, from: "@banned", action: drop}
	      - {name: net, from: "@nets", action: drop}
	  services:
	    hook: input
	    priority: filter
	    rules:
	      - {name: web, in: lan, proto: tcp, dport: 7000, action: accept}
	$1
	END
}

zones_topo
config "" > "$T/first.yaml"
router_start "$T/first.yaml"
check "it forwards" eventually 5 ns a ping -q -c 1 -W 1 10.0.2.2
serve r tcp:7000-7001
for v in "IPv4 10.0" "IPv6 2001:db8:"; do
	case $v in IPv6*) v=IPv6 to=2001:db8:1::1 from=2001:db8:1::2 net=2001:db8:1::/64 ;;
	*) v=IPv4 to=10.0.1.1 from=10.0.1.2 net=10.0.1.0/24 ;; esac
	answers "$v: a rule lets in what the zone does not" a tcp $to 7000 $from
	answers "$v: but nothing else" a tcp $to 7001 silent
	answers "$v: nor from another zone" g tcp $to 7000 silent
	check "$v: a ban" ctl set add banned $from
	answers "$v: keeps out" a tcp $to 7000 silent
	check "$v: another rule changes the table" reload_with < <(config "      - {proto: sctp, action: drop}")
	answers "$v: not the ban" a tcp $to 7000 silent
	check "$v: the ban is lifted" ctl set del banned $from
	answers "$v: and over" a tcp $to 7000 $from
	check "$v: a network is banned" ctl set add nets $net
	check "$v: back to the other table" reload_with < <(config "")
	answers "$v: and stays out" a tcp $to 7000 silent
	check "$v: it may come again" ctl set del nets $net
	answers "$v: and does" a tcp $to 7000 $from
done
check_not "a timeout that Linux cannot keep is refused" ctl set add nets 192.0.2.0/24 timeout 1h
check_not "and the network is not in the set" sh -c "$B/routerctl -R $ROUTER_DIR show sets nets | grep -q 192.0.2"
check "show filter has what was let in" [ "$(rule web packets)" -ge 6 ]
check "and what was not" [ "$(rule ban packets)" -ge 2 ]
check_conservation
finish
