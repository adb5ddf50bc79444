#!/bin/bash
# tests/netns/hairpin.sh: inside hosts reach their own and their neighbours' services by the outside
# address, and are seen as outside ones (RFC 4787 REQ-9, RFC 5382 REQ-8, RFC 5508 REQ-7).
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../peers.sh"

config() # MAPPING FILTERING
{
	cat <<- END
	version: 1
	interfaces: {lan0: {}, lan1: {}, wan0: {}}
	nat:
	  source:
	    - {name: home, from: 10.0.0.0/8, out: wan0, action: masquerade, mapping: $1, filtering: $2}
	    - {name: home6, from: "fd00::/16", out: wan0, action: masquerade, mapping: $1, filtering: $2}
	  destination:
	    - {name: www, in: wan0, address: 203.0.113.2, proto: [tcp, udp], dport: 8080, to: 10.0.1.2,
	       to-port: 7000, hairpin: true}
	    - {name: www6, in: wan0, address: "2001:db8:a::2", proto: [tcp, udp], dport: 8080, to: "fd00:1::2",
	       to-port: 7000, hairpin: true}
	    - {name: none, in: wan0, address: 203.0.113.2, proto: tcp, dport: 8081, to: 10.0.1.2,
	       to-port: 7000, hairpin: false}
	  static:
	    - {name: mail, external: 192.0.2.25, internal: 10.0.3.4}
	    - {name: mail6, external: "2001:db8:c::25", internal: "fd00:3::4"}
	END
}

# outside_port NS PROTO ADDR: makes a mapping for the server at port 7000 and says how it is seen
outside_port()
{
	ask "$1" "$2" "$3" 7001 --sport 7000 --from "$4" | cut -d' ' -f2
}

# punched FAMILY TO: a and c, who know of each other from outside only, try to talk
punched()
{
	local one=$T/punch.a other=$T/punch.c
	rm -f "$one" "$other"
	ask a punch "$1" 7001 "$one" "$other" --sport 6001 > "$T/punched.a" &
	ask c punch "$1" 7001 "$other" "$one" --sport 6002 > "$T/punched.c"
	wait $!
	echo "a hears $(cut -d' ' -f1 "$T/punched.a"), c hears $(cut -d' ' -f1 "$T/punched.c")"
}

nat_topo
host_addr c c0 fd00:3::4/64
ip -n c addr change fd00:3::4/64 dev c0 preferred_lft 0 # only used when asked for
config eim eif > "$T/first.yaml"
router_start "$T/first.yaml"
check "it forwards" eventually 5 ns a ping -q -c 1 -W 1 198.51.100.2
check "IPv6 too" eventually 5 ns a ping -q -c 1 -W 1 2001:db8:b::2
for n in a b c; do serve $n tcp:7000-7001 udp:7000-7001; done

for v in IPv4 IPv6; do
	case $v in
	IPv4) out=203.0.113.2 mail=192.0.2.25 b=198.51.100.2 a=10.0.1.2 c=10.0.3.2 host=10.0.3.4 ;;
	*) out=2001:db8:a::2 mail=2001:db8:c::25 b=2001:db8:b::2 a=fd00:1::2 c=fd00:3::2 host=fd00:3::4 ;;
	esac
	for proto in tcp udp; do
		note "$v, $proto"
		answers "port forward: a neighbour" c $proto $out 8080 $out
		answers "the host itself" a $proto $out 8080 $out
		answers "an outside host, as ever" b $proto $out 8080 $b
		answers "1:1: a neighbour" a $proto $mail 7000 $out
		answers "a host of the same network" c $proto $mail 7000 $out --from $c
		answers "the host itself, seen by its outside address" c $proto $mail 7000 $mail --from $host
		answers "and it reaches the port forward" c $proto $out 8080 $mail --from $host
		port=$(outside_port a $proto $b $a)
		answers "a mapping (port $port): an outside host" b $proto $out "$port" $b
		answers "a neighbour" c $proto $out "$port" $out
		answers "the host itself" a $proto $out "$port" $out
		answers "a host behind 1:1" c $proto $out "$port" $mail --from $host
	done
	note "$v, ICMP"
	check "1:1: a neighbour pings" ns a ping -q -c 3 -i 0.1 -W 1 $mail
	check "in fragments" ns a ping -q -c 3 -i 0.1 -W 1 -s 4000 $mail
	check "the host itself" ns c ping -q -c 3 -i 0.1 -W 1 -I $host $mail
	answers "errors come back to who asked" a udp $mail 9 refused
done
answers "hairpin: false is none" c tcp 203.0.113.2 8081 silent


note "two that learned of each other from outside"
is "both send, both hear" "$(punched 198.51.100.2)" "a hears 203.0.113.2, c hears 203.0.113.2"
is "IPv6" "$(punched 2001:db8:b::2)" "a hears 2001:db8:a::2, c hears 2001:db8:a::2"
skip "the same where mappings filter" "what a filter refuses does not open the sender's own yet"
check "mappings that filter" reload_with < <(config eim apdf)
ctl flush conntrack > "$T/flush"
port=$(outside_port a udp 198.51.100.2 10.0.1.2)
answers "apdf: who was not sent to is not let in" c udp 203.0.113.2 "$port" silent
check_conservation
finish
