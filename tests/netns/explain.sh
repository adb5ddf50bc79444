#!/bin/bash
# tests/netns/explain.sh: what `routerctl explain` says of a packet is what a real one, sent by a
# host right afterwards, then meets. Two hosts, zones, NAT, rules, shaping, routes that lead nowhere.
. "$(dirname "$0")/../lib.sh"
topo_three 2
host_addr a a0 10.0.1.3/24
ip -n r link set wan0 mtu 1400
ip -n r route add blackhole 10.66.0.0/16
ip -n r route add prohibit 10.67.0.0/16
ip -n r route add 10.68.0.0/16 via 10.0.2.2
ip -n b addr add 10.68.0.1/32 dev lo
router_start - <<- 'YAML'
	version: 1
	interfaces:
	  lan0: {}
	  wan0: {}
	sets:
	  banned: {type: address, elements: [10.0.1.3]}
	zones:
	  wan: {interfaces: [wan0], input: drop, forward-to: []}
	  lan: {interfaces: [lan0], input: accept, forward-to: [wan]}
	filter:
	  antispoof:
	    hook: prerouting
	    priority: raw
	    policy: accept
	    rules:
	      - {name: bans, from: "@banned", action: drop}
	  mine:
	    hook: forward
	    priority: filter
	    rules:
	      - {name: telnet, proto: tcp, dport: 23, action: reject}
	      - {name: web, in: wan0, to: 10.0.1.2, proto: tcp, dport: 80, action: accept}
	nat:
	  source:
	    - {name: exempt, to: 10.68.0.0/16, action: none}
	    - {name: home, from: 10.0.1.0/24, out: wan, action: masquerade, ports: 10000-32767}
	  destination:
	    - {name: www, in: wan, proto: tcp, dport: 8080, to: 10.0.1.2, to-port: 80}
	qos:
	  lan0:
	    ingress:
	      - {proto: udp, dport: 55, action: drop}
	  wan0:
	    egress:
	      root: {handle: "1:", htb: {default: rest}}
	      classes:
	        calls: {handle: "1:10", rate: 50mbit, leaf: {handle: "10:", fq_codel: {}}}
	        rest: {handle: "1:20", rate: 50mbit, ceil: 100mbit}
	      filters:
	        - {from: 10.0.1.2, proto: udp, dport: 56, class: calls}
YAML

# packet PROTO SRC SPORT DST DPORT [TTL]: from a socket, whose answer nobody waits for.
cat > "$T/packet" << 'PYTHON'
import socket, sys
proto, src, sport, dst, dport = sys.argv[1:6]
family = socket.AF_INET6 if ":" in src else socket.AF_INET
s = socket.socket(family, socket.SOCK_DGRAM if proto == "udp" else socket.SOCK_STREAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
if len(sys.argv) > 6:
    s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, int(sys.argv[6]))
s.bind((src, int(sport)))
s.settimeout(0.3)
try:
    s.connect((dst, int(dport)))
    if proto == "udp":
        s.send(b"")
except OSError:
    pass
PYTHON
packet()
{
	local ns=$1
	shift
	ns "$ns" python3 "$T/packet" "$@"
}

# Numbers that say what became of packets: sent by each interface, dropped for a reason.
sent_by()
{
	show_if "$1" tx_packets
}
received()
{
	echo $(($(show_if lan0 rx_packets) + $(show_if wan0 rx_packets)))
}
has_grown()
{
	[ "$("$1" "$2")" -gt "$3" ]
}

# agrees VERDICT[:REASON or :IFACE] IFACE PACKET COMMAND...: explain says so, and so it is.
agrees()
{
	local want=${1%%:*} detail=${1#*:} iface=$2 text=$3 said before
	shift 3
	said=$(ctl -j explain in "$iface" "$text") || { not_ok "$text is explained"; return; }
	is "$text: $want" "$(json - 'd[-1]["verdict"]' <<< "$said")" "$want"
	case $want in
	forwarded)
		is "  by $detail" "$(json - 'd[-1]["iface"]' <<< "$said")" "$detail"
		before=$(sent_by "$detail")
		"$@"
		check "  and so it is" eventually 3 has_grown sent_by "$detail" "$before"
		;;
	linux)
		before=$(received)
		"$@"
		sleep 0.2
		is "  and the router does not see it" "$(received)" "$before"
		;;
	*)
		is "  for $detail" "$(json - 'd[-1]["reason"]' <<< "$said")" "$detail"
		before=$(drops "$detail")
		"$@"
		check "  and so it is" eventually 3 has_grown drops "$detail" "$before"
		;;
	esac
}

# told TEXT: a line of what was said last of a packet.
told()
{
	local iface=$1 text=$2 line=$3
	check "$text: $line" grep -qF "$line" <(ctl explain in "$iface" "$text" | tr -s ' \n' ' ')
}

check "the hosts are known" ns a ping -q -c 2 -i 0.2 -W 2 10.0.2.2
check "by IPv6 too" ns a ping -q -c 2 -i 0.2 -W 2 2001:db8:2::2

# ---- new flows
told lan0 'udp 10.0.1.2:12345 > 10.0.2.2:53' '10.0.1.2:12345 -> 10.0.2.1:12345'
agrees forwarded:wan0 lan0 'udp 10.0.1.2:12345 > 10.0.2.2:53' packet a udp 10.0.1.2 12345 10.0.2.2 53
agrees forwarded:wan0 lan0 'tcp 10.0.1.2:12346 > 10.68.0.1:80' packet a tcp 10.0.1.2 12346 10.68.0.1 80
told lan0 'tcp 10.0.1.2:12399 > 10.68.0.1:80' 'rule "exempt"'
agrees forwarded:wan0 lan0 'icmp 10.0.1.2 > 10.0.2.2' ns a sh -c 'ping -q -c 1 -W 1 10.0.2.2 > /dev/null'
agrees forwarded:wan0 lan0 'udp [2001:db8:1::2]:1000 > [2001:db8:2::2]:53' \
	packet a udp 2001:db8:1::2 1000 2001:db8:2::2 53
agrees rejected:filter-reject lan0 'tcp 10.0.1.2:12347 > 10.0.2.2:23' \
	packet a tcp 10.0.1.2 12347 10.0.2.2 23
agrees dropped:filter-rule lan0 'udp 10.0.1.3:1000 > 10.0.2.2:53' packet a udp 10.0.1.3 1000 10.0.2.2 53
told lan0 'udp 10.0.1.3:1000 > 10.0.2.2:53' 'prerouting raw "antispoof": rule "bans"'
agrees dropped:blackhole lan0 'udp 10.0.1.2:1000 > 10.66.0.1:53' packet a udp 10.0.1.2 1000 10.66.0.1 53
agrees dropped:prohibit lan0 'udp 10.0.1.2:1000 > 10.67.0.1:53' packet a udp 10.0.1.2 1000 10.67.0.1 53
agrees dropped:no-route lan0 'udp 10.0.1.2:1000 > 192.0.2.9:53' packet a udp 10.0.1.2 1000 192.0.2.9 53
agrees dropped:ttl lan0 'udp 10.0.1.2:1001 > 10.0.2.2:53 ttl 1' packet a udp 10.0.1.2 1001 10.0.2.2 53 1
agrees dropped:too-big lan0 'icmp 10.0.1.2 > 10.0.2.2 length 1450 df' \
	ns a sh -c 'ping -q -c 1 -W 1 -M do -s 1422 10.0.2.2 > /dev/null; true'
agrees linux lan0 'udp 10.0.1.2:1000 > 10.0.1.1:53' packet a udp 10.0.1.2 1000 10.0.1.1 53

# ---- shaping
agrees dropped:tc-action lan0 'udp 10.0.1.2:1000 > 10.0.2.2:55' packet a udp 10.0.1.2 1000 10.0.2.2 55
told lan0 'udp 10.0.1.2:1000 > 10.0.2.2:55' 'ingress of lan0: filter (line '
class_packets()
{
	ctl_json "[r['packets'] for r in d if r['handle'] == '$1'][0]" show qos -s dev wan0
}
before=$(class_packets 1:10)
told lan0 'udp 10.0.1.2:1000 > 10.0.2.2:56' 'wan0: htb 1:, class 1:10 "calls", by the filter in line '
told lan0 'udp 10.0.1.2:1000 > 10.0.2.2:56' 'egress of wan0: fq_codel 10:; nothing waits there'
agrees forwarded:wan0 lan0 'udp 10.0.1.2:1000 > 10.0.2.2:56' packet a udp 10.0.1.2 1000 10.0.2.2 56
check "  of that class" eventually 3 has_grown class_packets 1:10 "$before"
told lan0 'udp 10.0.1.2:1000 > 10.0.2.2:56' 'class 1:10 "calls", as its flow remembers'
told lan0 'udp 10.0.1.2:1000 > 10.0.2.2:57' 'class 1:20 "rest", the default: prio 0 rate 50Mbit ceil 100Mbit'

# ---- from outside
agrees dropped:filter-rule wan0 'udp 10.0.2.2:1000 > 10.0.1.2:53' \
	ns b sh -c "ip route add 10.0.1.0/24 via 10.0.2.1 2> /dev/null; python3 $T/packet udp 10.0.2.2 1000 10.0.1.2 53"
told wan0 'tcp 10.0.2.2:1000 > 10.0.2.1:8080' 'rule "www"'
agrees forwarded:lan0 wan0 'tcp 10.0.2.2:1000 > 10.0.2.1:8080' packet b tcp 10.0.2.2 1000 10.0.2.1 8080
agrees linux wan0 'tcp 10.0.2.2:1000 > 10.0.2.1:8081' packet b tcp 10.0.2.2 1000 10.0.2.1 8081

# ---- a flow there is: its answer finds the way back
told wan0 'udp 10.0.2.2:53 > 10.0.2.1:12345' 'known flow'
told wan0 'udp 10.0.2.2:53 > 10.0.2.1:12345' 'becomes 10.0.2.2:53 > 10.0.1.2:12345'
agrees forwarded:lan0 wan0 'udp 10.0.2.2:53 > 10.0.2.1:12345' packet b udp 10.0.2.2 53 10.0.2.1 12345

# ---- and asking leaves no trace; but Linux's own traffic goes on
judged()
{
	ctl_json '[r for r in d if r["hook"] not in ("input", "output")]' show filter --expanded
	ctl_json '[(r["handle"], r["packets"], r["drops"], r["qlen"]) for r in d]' show qos -s
}
ctl explain in wan0 'tcp 10.0.2.2:1000 > 10.0.2.1:8080' | sed 's/^/# /'
before=$(judged; ctl -j show nat mappings; ctl -j show drops all; ctl -j show nat ports)
for i in 1 2 3 4 5; do
	ctl explain in lan0 "udp 10.0.1.2:2000$i > 10.0.2.2:54" > /dev/null
	ctl explain in lan0 "udp 10.0.1.3:2000$i > 10.0.2.2:54" > /dev/null
	ctl explain in lan0 "tcp 10.0.1.2:2000$i > 10.0.2.2:23" > /dev/null
	ctl explain in lan0 "udp 10.0.1.2:2000$i > 10.0.2.2:$((54 + i % 3))" > /dev/null
done
is "asking leaves no trace" "$before" \
	"$(judged; ctl -j show nat mappings; ctl -j show drops all; ctl -j show nat ports)"
ctl explain in lan0 'tpc 1.1.1.1 > 2.2.2.2' > "$T/said" 2>&1
is "what is no packet is refused" "$?" 1
check "with what would be one" grep -q 'is no protocol: tcp, udp' "$T/said"
check_conservation
finish
