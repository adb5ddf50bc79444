#!/bin/bash
# tests/netns/crossconnect.sh: two ports made one cable by two redirections. What Linux would keep
# for itself passes, too: ARP, DHCP, neighbour discovery, LLDP, any tag, any ethertype, frames for
# others, runts; and nothing is changed on the way. Without the rules the ports are ports again.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../peers.sh"

wire=(/usr/bin/python3 "$lib_top/tests/tools/wire.py")
a_mac=020000000001 b_mac=020000000002 all=ffffffffffff

config() # [EXTRA-YAML]
{
	printf 'version: 1\ninterfaces: {lan0: {}, lan1: {}}\n%s\n' "${1:-}"
}
both='redirect: [{name: there, in: lan0, to: lan1}, {name: back, in: lan1, to: lan0}]'

# bytes N: that many, none of them 0
bytes()
{
	local z
	printf -v z '%0*d' "$1" 0
	echo "${z//0/a5}"
}

# udp4 SPORT DPORT: the IPv4 header, from 0.0.0.0 to all, and UDP of a DHCP message
udp4()
{
	printf '45000148000000004011%s00000000ffffffff%04x%04x01340000%s' 79a6 "$1" "$2" "$(bytes 300)"
}

# on_wire FRAME...: what is shorter than Ethernet has it is sent with zeros behind
on_wire()
{
	local frame
	for frame in "$@"; do
		[ ${#frame} -ge 120 ] || printf -v frame '%s%0*d' "$frame" $((120 - ${#frame})) 0
		echo "$frame"
	done
}

# passes WHAT FROM DEV TO DEV FRAME...: what FROM sends arrives at TO, as it was and in order, and
# nothing else of the same sender does.
passes()
{
	local what=$1 from=$2 dev=$3 to=$4 far=$5 seer want
	shift 5
	ns_bg "$to" "${wire[@]}" see "$far" > "$T/wire"
	seer=$!
	eventually 5 grep -q ready "$T/wire" > "$T/ready" || not_ok "$what: the other end listens"
	ns "$from" "${wire[@]}" send "$dev" "$@"
	want=$(on_wire "$@")
	eventually 3 sh -c "[ \$(grep -c 0200000000ee $T/wire) -ge $# ]" > "$T/ready"
	is "$what" "$(grep '^.\{12\}0200000000ee' "$T/wire")" "$want"
	kill $seer
	wait $seer 2> "$T/ended"
}

# each WHAT DESTINATION REST: both ways
each()
{
	passes "$1" a a0 b b0 "${2}0200000000ee$3"
	passes "$1, the other way" b b0 a a0 "${2}0200000000ee$3"
}

# bulk SECONDS: TCP from a to b; what came of it is in $T/tcp.json
bulk()
{
	ns_bg b iperf3 -s -1 > "$T/iperf3.log" 2>&1
	eventually 5 sh -c 'nsenter --net=/run/netns/b ss -Hlnt sport = :5201 | grep .' &&
		ns a timeout 20 iperf3 -c 10.0.0.2 -t "$1" -J > "$T/tcp.json"
}

ns_add a b r || exit
veth a a0 r lan0 && veth r lan1 b b0 || exit
ip -n a link set a0 address 02:00:00:00:00:01 && ip -n b link set b0 address 02:00:00:00:00:02
host_addr a a0 10.0.0.1/24 2001:db8::1/64 && host_addr b b0 10.0.0.2/24 2001:db8::2/64
host_addr r lan0 10.0.0.9/24
router_start - < <(config "$both")

note "hosts that are neighbours"
check "ARP and ping" ns a ping -q -c 3 -i 0.2 -W 2 10.0.0.2
check "neighbour discovery and ping" ns a ping -q -c 3 -i 0.2 -W 2 2001:db8::2
is "no hop between them" "$(ns b ping -c 1 10.0.0.1 | grep -o 'ttl=[0-9]*')" ttl=64
is "each knows the other's own address" "$(ip -n a -j neigh show 10.0.0.2 | json - 'd[0]["lladdr"]')" \
	02:00:00:00:00:02
check "link-local multicast" ns a ping -q -c 2 -i 0.2 -W 2 ff02::1%a0
check "the largest packets" ns a ping -q -c 3 -i 0.1 -s 1472 -M 'do' 10.0.0.2
check "fragments" ns a ping -q -c 3 -i 0.1 -s 8000 10.0.0.2
check_not "the router's own address is out of reach" ns a ping -q -c 1 -W 1 10.0.0.9
is "the router has asked for nobody, nor heard of one" "$(ip -n r neigh show dev lan1 |
	grep -c lladdr)" 0
serve b tcp:7000 udp:7000
for proto in tcp udp; do
	answers "$proto" a $proto 10.0.0.2 7000 10.0.0.1
	answers "$proto over IPv6" a $proto 2001:db8::2 7000 2001:db8::1
done
check "bulk TCP" bulk 1
is "no checksum was left unfinished" "$(for n in a b; do
	ns $n nstat -asz TcpInCsumErrors UdpInCsumErrors Udp6InCsumErrors
done | awk '!/^#/ { s += $2 } END { print s }')" 0

note "frames as they are"
each "a DHCP request to all" $all "0800$(udp4 68 67)"
each "a DHCP answer to one" $b_mac "0800$(udp4 67 68)"
each "an ARP request" $all "080600010800060400010200000000ee0a0000ee0000000000000a000002$(bytes 18)"
each "LLDP" 0180c200000e "88cc0207040200000000010403616263060200780000$(bytes 24)"
each "spanning tree, which is LLC" 0180c2000000 "0026424203$(bytes 35)"
each "MPLS" $a_mac "8847000640ff45$(bytes 40)"
each "PPPoE" $b_mac "886411000001000400$(bytes 40)"
each "a tag" $b_mac "81000064080045$(bytes 40)"
each "a tag with a priority" $all "8100e0640806$(bytes 42)"
each "two tags" $b_mac "88a80007810000080800$(bytes 40)"
each "IPv6 to many" 333300000001 "86dd60000000000a3bff$(bytes 42)"
each "somebody else's" 020000000077 "0800$(bytes 46)"
each "an unknown ethertype" $b_mac "1234$(bytes 46)"
each "IPv4 that is malformed" $b_mac "08000000$(bytes 44)"
each "TTL 0" $b_mac "08004500001c0000000000110000$(bytes 34)"
each "a frame of the largest size" $b_mac "88b5$(bytes 1500)"
mapfile -t many < <(for i in $(seq 200); do
	printf '%s0200000000ee88b5%04x%s\n' $b_mac "$i" "$(bytes 60)"
done)
passes "many keep their order" a a0 b b0 "${many[@]}"
each "no more than a header, in a frame that held another" $b_mac 0800

note "counters"
whole()
{
	ctl_json "sum(r['verdicts']['to-socket-whole'] for r in d)" show xdp
}
check "the program counts them" [ "$(whole)" -gt 100 ]
is "nothing was dropped" "$(ctl_json 'd["dropped"]' show status)" 0
check "both ports are promiscuous" [ "$(ip -n r -d link | grep -c 'promiscuity 1')" = 2 ]

note "a tree at the far end"
check "a reload sets it" reload_with < <(config "$both
qos: {lan1: {egress: {root: {tbf: {rate: 5mbit, burst: 10kb, latency: 100ms}}}}}")
check "bulk TCP" bulk 2
bits=$(json "$T/tcp.json" 'round(d["end"]["sum_received"]["bits_per_second"])')
check "shapes what comes whole: $bits of 5000000 bit/s" [ "$bits" -gt 4000000 -a "$bits" -lt 5000000 ]

note "one direction, and none"
check "a reload takes one away" reload_with < <(config \
	'redirect: [{name: there, in: lan0, to: lan1}]')
passes "the other one stays" a a0 b b0 "${b_mac}0200000000ee88b5$(bytes 46)"
check_not "none comes back" ns a ping -q -c 1 -W 1 10.0.0.2
check "and both" reload_with < <(config)
before=$(whole)
check "the router's address answers again" eventually 5 ns a ping -q -c 1 -W 1 10.0.0.9
check_not "but b is far away" ns a ping -q -c 1 -W 1 10.0.0.2
is "no frame goes to the socket for that" "$(whole)" "$before"
check_not "no port is promiscuous" sh -c "ip -n r -d link | grep 'promiscuity 1'"
check "and back" reload_with < <(config "$both")
ip -n a neigh flush dev a0
check "a cable again" eventually 5 ns a ping -q -c 1 -W 1 10.0.0.2
check_conservation
finish
