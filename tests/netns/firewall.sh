#!/bin/bash
# tests/netns/firewall.sh: zones, filter rules, sets and limits as Linux hosts meet them.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../peers.sh"

zones='zones:
  lan:   {interfaces: [lan0], input: accept, forward-to: [wan, guest]}
  guest: {interfaces: [guest0], input: drop, forward-to: [wan]}
  wan:   {interfaces: [wan0], input: drop, forward-to: []}'
interfaces='version: 1
interfaces: {lan0: {}, guest0: {}, wan0: {}}'
config()
{
	cat <<- END
	$interfaces
	$zones
	sets:
	  banned: {type: address}
	  doors: {type: [address, port]}
	filter:
	  early:
	    hook: prerouting
	    priority: raw
	    rules:
	      - {name: bans, from: "@banned", action: drop}
	      - {name: untracked, proto: udp, dport: 7010, action: notrack}
	      - {name: untracked-back, proto: udp, sport: 7010, action: notrack}
	  own:
	    hook: forward
	    priority: filter
	    rules:
	      - {name: refuse, proto: [tcp, udp], dport: 7001, action: reject}
	      - {name: hide, proto: [tcp, udp], dport: 7002, action: drop, log: {limit: 100/s, prefix: "hidden: "}}
	      - {name: prohibit, proto: [tcp, udp], dport: 7003, action: {reject: admin-prohibited}}
	      - {name: no-host, proto: [tcp, udp], dport: 7004, action: {reject: host-unreachable}}
	      - {name: rated, proto: udp, dport: 7005, rate: {over: 5/s, burst: 5, per: source}, action: drop}
	      - {name: few, proto: tcp, dport: 7006, connections: {over: 3, per: source}, action: {reject: tcp-reset}}
	      - {name: door, in: wan, proto: tcp, dport: 7007, action: accept}
	      - {name: knock, proto: udp, dport: 7008, action: [{add-to: banned}, accept]}
	      - {name: loose, ct: untracked, action: accept}
	END
}

# what the rules have judged; Linux's own traffic goes on all the while
judged()
{
	ctl_json '[r for r in d if r["hook"] not in ("input", "output")]' show filter --expanded
}

# logged TEXT: the daemon's log has such a line
logged()
{
	grep -q -- "$1" "$(lib_log)"
}

zones_topo
config > "$T/first.yaml"
router_start "$T/first.yaml"
check "it forwards" eventually 5 ns a ping -q -c 1 -W 1 10.0.2.2
serve b tcp:7000-7012 udp:7000-7012
serve a tcp:7000-7012 udp:7000-7012
serve g tcp:7000-7012 udp:7000-7012
serve r tcp:7000 udp:7000

note "zones"
for v in "IPv4 10.0" "IPv6 2001:db8:"; do
	read -r v net <<< "$v"
	case $v in
	IPv4) a=$net.1.2 b=$net.2.2 g=$net.3.2 ;;
	*) a=${net}1::2 b=${net}2::2 g=${net}3::2 ;;
	esac
	for proto in tcp udp; do
		answers "$v: lan to wan, $proto" a $proto $b 7000 $a
		answers "$v: lan to guest, $proto" a $proto $g 7000 $a
		answers "$v: guest to wan, $proto" g $proto $b 7000 $g
		answers "$v: guest may not reach lan, $proto" g $proto $a 7000 silent
		answers "$v: wan may not reach lan, $proto" b $proto $a 7000 silent
		answers "$v: wan may not reach guest, $proto" b $proto $g 7000 silent
	done
	check "$v: lan pings wan" ns a ping -q -c 2 -i 0.1 -W 1 $b
	check_not "$v: wan does not ping lan" ns b ping -q -c 1 -W 1 $a
	answers "$v: what a rule opens is open" b tcp $a 7007 $b

	note "$v: the router itself"
	for n in 1 2 3; do
		case $n in 1) who=lan from=a ;; 2) who=wan from=b ;; 3) who=guest from=g ;; esac
		case $v in IPv4) own=$net.$n.1 host=$net.$n.2 ;; *) own=${net}$n::1 host=${net}$n::2 ;; esac
		case $who in lan) want=$host ;; *) want=silent ;; esac
		answers "$v: $who asks it for TCP" $from tcp $own 7000 $want
		answers "$v: $who asks it for UDP" $from udp $own 7000 $want
		answers "$v: what it asks $who is answered" r tcp $host 7000 $own
		check "$v: it pings $who" ns r ping -q -c 1 -W 1 $host
	done

	note "$v: rules that refuse"
	answers "$v: reject is an RST to TCP" a tcp $b 7001 refused
	answers "$v: and port unreachable to UDP" a udp $b 7001 refused
	answers "$v: drop is silence, TCP" a tcp $b 7002 silent
	answers "$v: drop is silence, UDP" a udp $b 7002 silent
	case $v in IPv4) prohibited=unreachable ;; *) prohibited=prohibited ;; esac
	answers "$v: administratively prohibited, TCP" a tcp $b 7003 $prohibited
	answers "$v: administratively prohibited, UDP" a udp $b 7003 $prohibited
	answers "$v: host unreachable" a tcp $b 7004 unreachable
	answers "$v: notrack passes where rules let it" a udp $b 7010 $a
done
is "a dropped packet leaves no flow" "$(ctl -j show conntrack dport 7002)" "[]"
is "an untracked one neither" "$(ctl -j show conntrack dport 7010)" "[]"
check "drops are in the log, with prefix, rule and addresses" \
	logged 'hidden: rule "hide": in=lan0 out=wan0 src=10.0.1.2 dst=10.0.2.2.*dport=7002'
check "IPv6's too" logged 'hidden:.*src=2001:db8:1::2 dst=2001:db8:2::2'
check "the counter of a rule: a SYN and its repetitions, and UDP" [ "$(rule hide packets)" -ge 4 ]
is "a rule that never matched counts nothing" "$(rule bans packets)" 0
check "show filter names the line in the file" \
	ctl_json "[r['line'] for r in d if r['rule'] == 'hide'] == [$(grep -n 'name: hide' "$CONF" |
		cut -d: -f1)] or 1 / 0" show filter
check_not "the rules of zones are in --expanded only" ctl_json \
	"[1 for r in d if r['chain'] == 'zones'] or any(r['line'] is None for r in d) or 1 / 0" show filter
check "drops by rule are counted" [ "$(drops filter-rule)" -ge 4 ]
check "rejects are" [ "$(drops filter-reject)" -ge 10 ]

note "limits"
sent=20 # packets at once: the bucket lets 5 through, and in this time perhaps one more
got=$(ns a /usr/bin/python3 - <<- END
	import socket, time
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	s.connect(("10.0.2.2", 7005)); s.settimeout(0.5)
	for _ in range($sent): s.send(b"x")
	n = 0
	try:
	    while s.recv(100): n += 1
	except OSError: pass
	print(n)
END
)
check "a rate is kept within a flow: $got of $sent" [ "$got" -ge 5 ] && [ "$got" -le 8 ]
check_not "3 connections of 5 are taken" hold few a tcp 10.0.2.2 7006 5
is "as many as the limit says" "$hold_ready" "ready 3"
answers "another source has its own" g tcp 10.0.2.2 7006 10.0.3.2
hold_end few
check "they end" eventually 5 sh -c \
	"[ \$($B/routerctl -R $ROUTER_DIR -j show conntrack dport 7006 state ESTABLISHED | wc -c) -lt 5 ]"

note "sets, by hand and by rule"
hold talk a tcp 10.0.2.2 7000 3
hold other g tcp 10.0.2.2 7000 3
is "conversations run" "$(again talk), $(again other)" "3 0, 3 0"
check "a host is banned" ctl set add banned 10.0.1.2
sleep 0.3
is "at once: its running conversations stop, those of others do not" \
	"$(again talk), $(again other)" "0 0, 3 0"
answers "it begins no new ones" a tcp 10.0.2.2 7000 silent
check "show sets has it" sh -c "$B/routerctl -R $ROUTER_DIR show sets banned | grep -q 10.0.1.2"
check "the ban is lifted" ctl set del banned 10.0.1.2
sleep 0.3
answers "it may again" a tcp 10.0.2.2 7000 10.0.1.2
sleep 1 # retransmissions
is "and what was stopped goes on" "$(again talk)" "3 0"
check_not "what is no address is refused" ctl set add banned 10.0.1.300
check_not "a set that is not there, too" ctl set add missing 10.0.1.2
check "a knock at a port" ask g udp 10.0.2.2 7008
sleep 0.3
is "bans who knocked" "$(again other)" "0 0"
check "the ban of a rule is lifted, too" ctl set del banned 10.0.3.2
hold_end talk
hold_end other

note "reload"
hold talk a tcp 10.0.2.2 7000 3
before=$(judged | md5sum)
config | sed 's/action: accept}$/action: acept}/' > "$CONF"
want=$(grep -n acept "$CONF" | head -n 1 | cut -d: -f1)
if ctl reload --wait > "$T/refused" 2>&1; then
	not_ok "a bad rule is refused"
else
	is "a bad rule is refused" $? 1
fi
check "the message has file, line and the word" grep -q "yaml:$want:.*acept" "$T/refused" ||
	sed 's/^/# /' "$T/refused"
is "nothing changed" "$(judged | md5sum)" "$before"
is "conversations go on" "$(again talk)" "3 0"
answers "rules hold on" a tcp 10.0.2.2 7001 refused
count=$(rule hide packets)
check "a good one is taken" reload_with < <(config | sed 's/dport: 7001/dport: 7011/')
answers "a rule that is gone lets pass" a tcp 10.0.2.2 7001 10.0.1.2
answers "the changed one refuses" a tcp 10.0.2.2 7011 refused
is "counters of rules that stayed go on" "$(rule hide packets)" "$count"
is "conversations go on" "$(again talk)" "3 0"
check "a rule against running conversations" \
	reload_with < <(config | sed 's/dport: 7002/dport: [7000, 7002]/')
is "stops them" "$(again talk)" "0 0"
check "without zones and filter" reload_with <<< "$interfaces"
answers "all may" b tcp 10.0.1.2 7000 10.0.2.2
sleep 1
is "conversations go on" "$(again talk)" "3 0"
hold_end talk
check_conservation
finish
