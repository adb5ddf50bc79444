#!/bin/bash
# tests/netns/nat.sh: source and destination NAT as hosts on both sides meet it.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../peers.sh"

mib=1024 many=1000
case $B in *san-*) mib=64 many=300 ;; esac

config() # [MASQUERADE-KEY...]
{
	cat <<- END
	version: 1
	interfaces: {lan0: {}, lan1: {}, wan0: {}}
	nat:
	  source:
	    - {name: plain, to: 198.51.100.3, from: 10.0.1.0/24, action: none}
	    - {name: office, from: 10.0.3.0/24, out: wan0, pool: 192.0.2.10-192.0.2.13, persistent: true}
	    - {name: home, from: 10.0.0.0/8, out: wan0, action: masquerade$*}
	    - {name: home6, from: "fd00::/16", out: wan0, action: masquerade}
	  destination:
	    - {name: www, in: wan0, address: 203.0.113.2, proto: tcp, dport: 8080, to: 10.0.1.2, to-port: 7000}
	    - {name: www6, in: wan0, address: "2001:db8:a::2", proto: tcp, dport: 8080, to: "fd00:1::2", to-port: 7000}
	    - {name: game, in: wan0, address: 203.0.113.2, proto: udp, dport: 27000-27009, to: 10.0.1.2, to-port: 7000-7009}
	    - {name: dns, in: lan0, proto: [udp, tcp], dport: 53, action: redirect}
	  static: [{name: mail, external: 192.0.2.25, internal: 10.0.3.4}]
	END
}

# hops WANT NS ADDR...: are these the routers and the host a traceroute meets? Errors are limited by the
# second, so another try may be needed.
hops()
{
	local try seen
	for try in 1 2 3; do
		seen=$(ns "$2" traceroute -n -q 1 -w 1 -m 5 "${@:4}" "$3" 2>&1 | awk 'NR > 1 { print $2 }' | xargs)
		[ "$seen" != "$1" ] || return 0
		sleep "$try"
	done
	echo "$seen"
	return 1
}

# pmtu NS ADDR: what tracepath finds
pmtu()
{
	ns "$1" tracepath -n -m 5 "$2" | awk '/Resume:/ { for (i = 1; i < NF; i++) if ($i == "pmtu") print $(i + 1) }'
}

# learns_mtu: a sends what is too big for x, and remembers what x says
learns_mtu()
{
	ns a ping -c 1 -W 1 -M "do" -s 1380 198.51.100.2
	ns a ip route get 198.51.100.2 | grep "mtu 1400"
}

# pings NS ADDR [OPTION...]: all are answered
pings()
{
	ns "$1" ping -q -c 3 -i 0.1 -W 1 "${@:3}" "$2"
}

# flows_are N ADDR: so many are of this inside host
flows_are()
{
	[ "$(ctl_json "sum('$2' in (r['orig']['src'], r['reply']['src']) for r in d)" show conntrack)" = "$1" ]
}

nat_topo
config > "$T/first.yaml"
router_start "$T/first.yaml"
check "it forwards" eventually 5 ns a ping -q -c 1 -W 1 198.51.100.2
check "IPv6 too" eventually 5 ns a ping -q -c 1 -W 1 2001:db8:b::2
serve a tcp:7000-7009 udp:7000-7009
serve b tcp:7000-7009 udp:7000-7009
serve c tcp:7000-7009 udp:7000-7009
serve r tcp:22 tcp:53 udp:53

note "masquerade"
host_addr a a0 10.0.1.9/24 fd00:1::9/64
ip -n a addr change fd00:1::9/64 dev a0 preferred_lft 0 # only used when asked for
for to in 198.51.100.2 2001:db8:b::2; do
	case $to in
	*:*) v=IPv6 out=2001:db8:a::2 neighbour=fd00:1::9 ;;
	*) v=IPv4 out=203.0.113.2 neighbour=10.0.1.9 ;;
	esac
	answers "$v: TCP comes from the outside address" a tcp $to 7000 $out
	answers "$v: UDP does" a udp $to 7000 $out
	check "$v: ping" pings a $to
	check "$v: ping in fragments" pings a $to -s 4000
	for proto in tcp udp; do
		answers "$v: a chosen port, $proto" a $proto $to 7001 $out --sport 5001 --from ${neighbour%9}2
		answers "$v: another host has chosen the same" a $proto $to 7001 $out --sport 5001 --from $neighbour
		is "$v: they are told apart" "$(ctl_json 'len({r["reply"]["dport"] for r in d})' \
			show conntrack proto $proto dst $to dport 7001 sport 5001)" 2
	done
	is "$v: one inside endpoint is one outside endpoint, to whomever" \
		"$(ask a udp $to 7001 --sport 5003)" "$(ask a udp ${to%2}4 7002 --sport 5003)"
done
check "traceroute from inside" hops "10.0.1.1 203.0.113.1 198.51.100.2" a 198.51.100.2
check "by ICMP" hops "10.0.1.1 203.0.113.1 198.51.100.2" a 198.51.100.2 -I
check "by TCP" hops "10.0.1.1 203.0.113.1 198.51.100.2" a 198.51.100.2 -T -p 7000
check "IPv6's" hops "fd00:1::1 2001:db8:a::1 2001:db8:b::2" a 2001:db8:b::2
check "IPv6's by ICMP" hops "fd00:1::1 2001:db8:a::1 2001:db8:b::2" a 2001:db8:b::2 -I
answers "what is excepted goes out as it is: no way back" a udp 198.51.100.3 7000 silent
ip -n x route add 10.0.1.0/24 via 203.0.113.2
answers "and with a way back, b sees the inside" a udp 198.51.100.3 7000 10.0.1.2
ip -n x route del 10.0.1.0/24
answers "an error from outside reaches who asked" a udp 198.51.100.2 9 refused
answers "IPv6's does" a udp 2001:db8:b::2 9 refused

note "pool, 1:1"
seen=$(for port in 7000 7001 7002 7003 7004 7005; do
	ask c udp 198.51.100.2 $port --from 10.0.3.2
	ask c tcp 198.51.100.2 $port --from 10.0.3.2
done | cut -d' ' -f1 | sort | uniq -c | awk '{ print $1, $2 ~ /^192\.0\.2\.1[0-3]$/ }')
is "a host keeps one address of the pool" "$seen" "12 1"
for i in $(seq 10 29); do ip -n c addr add 10.0.3.$i/24 dev c0; done
used=$(for i in $(seq 10 29); do ask c udp 198.51.100.2 7000 --from 10.0.3.$i; done |
	cut -d' ' -f1 | sort -u | grep -c '^192\.0\.2\.1[0-3]$')
is "20 hosts use all four" "$used" 4
answers "1:1 from inside" c tcp 198.51.100.2 7000 192.0.2.25 --from 10.0.3.4 --sport 6000
is "with its own port" "$(ask c udp 198.51.100.2 7000 --from 10.0.3.4 --sport 6001)" "192.0.2.25 6001"
answers "1:1 from outside, TCP" b tcp 192.0.2.25 7000 198.51.100.2
answers "UDP" b udp 192.0.2.25 7000 198.51.100.2
check "ping" pings b 192.0.2.25
check "in fragments" pings b 192.0.2.25 -s 4000
answers "nobody is behind the pool's addresses" b tcp 192.0.2.10 7000 silent
check "a session from outside with 1:1" hold mail-in b tcp 192.0.2.25 7003 1
check "one from inside" hold mail-out c udp 198.51.100.2 7003 1 --from 10.0.3.4
check "one of another host" hold other c udp 198.51.100.2 7003 1 --from 10.0.3.2
check "the rule goes" reload_with < <(config | grep -v static:)
check "and its sessions go with it" eventually 5 flows_are 0 10.0.3.4
is "the other host talks on" "$(again other)" "1 0"
is "from inside it is a host like others now" \
	"$(ask c tcp 198.51.100.2 7000 --from 10.0.3.4 | grep -c '^192\.0\.2\.1[0-3] ')" 1
check "the rule comes back" reload_with < <(config)
answers "and leads to it again" b tcp 192.0.2.25 7000 198.51.100.2
for h in mail-in mail-out other; do hold_end $h; done

note "port forwards"
answers "TCP to another port" b tcp 203.0.113.2 8080 198.51.100.2
answers "IPv6's" b tcp 2001:db8:a::2 8080 2001:db8:b::2
for i in 0 5 9; do
	answers "port 2700$i of a range" b udp 203.0.113.2 2700$i 198.51.100.2
done
is "leads to 7005 inside" "$(ctl_json '[r["reply"]["sport"] for r in d]' show conntrack dport 27005)" \
	"[7005]"
answers "the port behind the range is not forwarded" b udp 203.0.113.2 27010 refused
for proto in udp tcp; do
	answers "redirect, $proto: the router answers for another" a $proto 198.51.100.2 53 10.0.1.2
	answers "IPv6's" a $proto 2001:db8:b::2 53 fd00:1::2
done
answers "who is not redirected asks the other, who has no such service" c tcp 198.51.100.2 53 refused

note "path MTU"
ip -n x link set x1 mtu 1400 && ip -n b link set b0 mtu 1400
is "IPv4: tracepath finds the narrow link" "$(pmtu a 198.51.100.2)" 1400
is "IPv6: too" "$(pmtu a 2001:db8:b::2)" 1400
ip -n a route flush cache && ip -n a -6 route flush cache
check "too big from outside reaches the inside" learns_mtu
check "1:1: an outside host learns of it" pings b 192.0.2.25 -s 3000
ip -n x link set x1 mtu 1500 && ip -n b link set b0 mtu 1500

note "the router's own traffic beside $((2 * many)) flows"
answers "its own service on the outside address" b tcp 203.0.113.2 22 198.51.100.2
answers "IPv6's" b tcp 2001:db8:a::2 22 2001:db8:b::2
check "a session with it" hold own b tcp 203.0.113.2 22 1
check "inside TCP" hold in-tcp a tcp 198.51.100.2 7000-7003 $many
check "inside UDP" hold in-udp a udp 198.51.100.2 7000-7003 $many
check "the router's TCP" hold r-tcp r tcp 198.51.100.2 7000-7003 $many
check "the router's UDP" hold r-udp r udp 198.51.100.2 7000-7003 $many
is "all talk: inside" "$(again in-tcp), $(again in-udp)" "$many 0, $many 0"
is "the router" "$(again r-tcp), $(again r-udp)" "$many 0, $many 0"
check "it pings" pings r 198.51.100.2
check "beside a ping of the inside" pings a 198.51.100.2
check "in fragments" pings r 198.51.100.2 -s 4000
is "the session with it lives" "$(again own)" "1 0"
for h in r-tcp r-udp; do hold_end $h; done

note "$mib MiB by HTTP across 5 reloads"
mkdir "$T/www" && truncate -s ${mib}M "$T/www/file"
ns_bg b /usr/bin/python3 -m http.server -d "$T/www" 80 > "$T/http.log" 2>&1
check "the server answers" eventually 5 ns a curl -sfI -o "$T/head" http://198.51.100.2/file
start=$(date +%s%N)
(ns a curl -sSf --limit-rate $((mib / 3))M http://198.51.100.2/file 2> "$T/curl" | wc -c > "$T/bytes") &
loading=$!
for i in 1 2 3 4 5; do
	sleep 0.3
	config ", ports: 1${i}000-60999" > "$CONF"
	ctl reload --wait > "$T/reload" 2>&1 || not_ok "reload $i" "$(cat "$T/reload")"
done
check "it goes on behind them" kill -0 $loading
wait $loading
is "all bytes came" "$(cat "$T/bytes")" $((mib << 20))
note "$((($(date +%s%N) - start) / 1000000)) ms"
is "flows of before talk on, from where they were" "$(again in-tcp), $(again in-udp)" \
	"$many 0, $many 0"

note "the outside address changes"
ip -n r addr del 203.0.113.2/24 dev wan0 && ip -n r addr add 203.0.113.3/24 dev wan0
nat_wan_routes
masqueraded()
{
	[ "$(ask a tcp 198.51.100.2 7004 | cut -d' ' -f1)" = 203.0.113.3 ]
}
check "new flows come from the new address" eventually 5 masqueraded
answers "UDP, too" a udp 198.51.100.2 7004 203.0.113.3
check "ping" pings a 198.51.100.2
for h in own in-tcp in-udp; do hold_end $h; done
check_conservation
finish
