#!/bin/bash
# tests/netns/rules.sh: policy routing (F19). Packets take the way that Linux's own lookup names, by
# rules of Linux and of the file; tables, VRFs without a device, reload.
#   a -- lan0 [r] wan0 -- b0 [b]     main leads to wan0, table 100 to wan1, table 101 to wan2
#   c -- lan1     wan1 -- b1
#                 wan2 -- b2
# check: heavy
. "$(dirname "$0")/../lib.sh"
. "$lib_top/tests/peers.sh"

# Each line of stdin is a packet: ID SRC DST TOS PROTO SPORT DPORT; its payload is its ID.
cat > "$T/send.py" << 'EOF'
import socket, sys
for line in sys.stdin:
	id, src, dst, tos, proto, sport, dport = line.split()
	six = ':' in dst
	s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
	s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
	s.setsockopt(socket.IPPROTO_IPV6 if six else socket.IPPROTO_IP,
		socket.IPV6_TCLASS if six else socket.IP_TOS, int(tos, 0))
	s.bind((src, int(sport)))
	s.sendto(id.encode().ljust(32), (dst, int(dport)))
EOF

# Prints "ID DEVICE" for each of these that comes in, until none has for a while.
cat > "$T/watch.py" << 'EOF'
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
print('ready', file=sys.stderr, flush=True)
s.settimeout(6)
while True:
	try:
		p, (dev, proto, kind, *_) = s.recvfrom(2048)
	except TimeoutError:
		break
	at = 28 if proto == 0x0800 and p[9] == 17 else 48 if proto == 0x86dd and p[6] == 17 else 0
	if not at or kind == 4 or not p[at:at + 1] == b'p':
		continue
	id = p[at:at + 32].decode().strip()
	if id == 'pend':
		break
	print(id, dev, flush=True)
EOF

# Which device Linux's own lookup names for each of the packets; none: it refuses.
linux_says()
{
	local id src dst tos proto sport dport mark dev
	while read -r id src dst tos proto sport dport; do
		mark=0
		[ "$dport" != 7000 ] || mark=$marked
		dev=$(ns r ip route get "$dst" from "$src" iif "${in_by:-lan0}" tos "$tos" mark "$mark" \
			ipproto "$proto" sport "$sport" dport "$dport" 2> /dev/null | sed -n 's/.* dev \([^ ]*\) .*/\1/p')
		case $dev in
		wan*) echo "$id b${dev#wan}" ;;
		*) echo "$id none" ;;
		esac
	done
}

# The packets of each question: every source, port and TOS that some rule may ask for.
packets()
{
	local n=0 src
	for src in 10.0.1.2 10.0.1.3 fd00:1::2 fd00:1::3; do
		local to=172.16.0.1 other=172.16.1.1
		case $src in *:*) to=2001:db8:f::1 other=2001:db8:f:1::1 ;; esac
		while read -r dst tos sport dport; do
			echo "p$((n++)) $src $dst $tos udp $sport $dport"
		done << EOF
$to 0 4000 5000
$other 0 4000 5000
$to 0x10 4000 5000
$to 0x48 4000 5000
$to 0 4001 5000
$to 0 4000 6000
$to 0 4000 7000
EOF
	done
}

# agrees WHAT: all packets come out where Linux would send them.
agrees()
{
	local want
	packets > "$T/packets"
	linux_says < "$T/packets" | sort > "$T/want"
	: > "$T/watching"
	ns_bg b python3 "$T/watch.py" > "$T/seen" 2> "$T/watching"
	local watcher=$!
	eventually 5 grep -q ready "$T/watching"
	ns a python3 "$T/send.py" < "$T/packets"
	sleep 0.2
	ns c python3 "$T/send.py" <<< "pend 10.0.9.2 172.16.0.2 0 udp 4000 5000"
	wait $watcher
	while read -r want _; do
		grep "^$want " "$T/seen" || echo "$want none"
	done < "$T/packets" | sort > "$T/got"
	paste "$T/want" "$T/got" | awk '$2 != $4' > "$T/differ"
	check "$1: as Linux looks it up" test ! -s "$T/differ" || {
		head -5 "$T/differ"
		ns r ip rule
	}
	check_not "$1: and it makes a difference" cmp -s "$T/want" "$T/plain"
}

# rules < "FAMILY-OPTION RULE"...: replaces those that this test has set, in both families.
rules()
{
	local line
	for f in -4 -6; do
		while ns r ip $f rule del protocol 99 2> /dev/null; do :; done
	done
	while read -r line; do
		# shellcheck disable=SC2086
		ns r ip ${line%% *} rule add protocol 99 ${line#* } || not_ok "ip $line"
	done
	eventually 5 all_mirrored
}

all_mirrored()
{
	[ "$(ctl_json 'len(d)' show rules)" = "$(($(ns r ip rule | wc -l) + $(ns r ip -6 rule | wc -l)))" ]
}

has_rule()
{
	ns r ip rule | grep "$1"
}

lacks_rule()
{
	! has_rule "$1"
}

ns_add a c r b
veth a a0 r lan0
veth c c0 r lan1
for i in 0 1 2; do
	veth r wan$i b b$i
	host_addr r wan$i 10.1.$i.1/24 fd00:1$i::1/64
	host_addr b b$i 10.1.$i.2/24 fd00:1$i::2/64
done
host_addr a a0 10.0.1.2/24 10.0.1.3/24 fd00:1::2/64 fd00:1::3/64
host_addr c c0 10.0.9.2/24
host_addr r lan0 10.0.1.1/24 fd00:1::1/64
host_addr r lan1 10.0.9.1/24
host_addr b lo 172.16.0.1/32 172.16.1.1/32 172.16.0.2/32 2001:db8:f::1/128 2001:db8:f:1::1/128
ip -n a route add default via 10.0.1.1
ip -n a -6 route add default via fd00:1::1
ip -n c route add default via 10.0.9.1
for t in 0:254 1:100 2:101; do
	ip -n r route add default via "10.1.${t%:*}.2" table "${t#*:}"
	ip -n r -6 route add default via "fd00:1${t%:*}::2" table "${t#*:}"
done
ip -n r route add 172.16.0.2/32 via 10.1.0.2
for i in 0 1 2; do
	ns b sysctl -qw "net.ipv4.conf.b$i.rp_filter=0"
done
# Linux looks up, for comparison, only what it would forward; XDP takes the packets
ns r sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=0
marked=0
router_start - << 'EOF'
version: 1
interfaces: {lan0: {}, lan1: {}, wan0: {}, wan1: {}, wan2: {}}
EOF

for i in 0 1 2; do # a packet that waits for a neighbour may be one too many
	eventually 5 ns r ping -q -c1 -W1 10.1.$i.2
	eventually 5 ns r ping -q -c1 -W1 fd00:1$i::2
done > "$T/warm"

# ---- rules of Linux
: > "$T/plain"
packets | linux_says | sort > "$T/all0"
cp "$T/all0" "$T/plain"
is "without rules all go by main" "$(cut -d' ' -f2 "$T/plain" | sort -u)" b0

rules << EOF
-4 pref 100 from 10.0.1.3 lookup 100
-6 pref 100 from fd00:1::3 lookup 100
EOF
agrees "from"
is "explain names the rule" "$(ctl_json '[(r["priority"], r["table"]) for r in d if r["step"] == "rule"]' \
	explain in lan0 'udp 10.0.1.3:4000 > 172.16.0.1:5000')" "[[100, 100]]"
rules << EOF
-4 pref 100 to 172.16.1.0/24 lookup 100
-6 pref 100 to 2001:db8:f:1::/64 lookup 101
EOF
agrees "to"
rules << EOF
-4 pref 100 iif lan0 lookup 100
-6 pref 100 iif lan0 lookup 101
-4 pref 90 iif lan1 lookup 101
-4 pref 80 oif lan0 lookup 101
-4 pref 70 iif lo lookup 101
-4 pref 60 uidrange 1-1000 lookup 101
EOF
agrees "iif"
is "what packets cannot be said to be is Linux's own" "$(ctl_json \
	'sorted(r["priority"] for r in d if r["state"] == "linux only")' show rules)" "[60, 70, 80]"
rules << EOF
-4 pref 100 tos 0x10 lookup 100
-6 pref 100 tos 0x48 lookup 101
EOF
agrees "dscp"
rules << EOF
-4 pref 100 ipproto udp sport 4001 lookup 100
-4 pref 101 ipproto udp dport 6000-6999 lookup 101
-6 pref 100 ipproto udp sport 4001 lookup 100
-6 pref 101 ipproto tcp lookup 101
EOF
agrees "ports"
rules << EOF
-4 pref 100 goto 300
-4 pref 200 lookup 100
-4 pref 300 from 10.0.1.3 lookup 101
-6 pref 100 from fd00:1::3 goto 300
-6 pref 200 lookup 100
-6 pref 300 lookup 101
EOF
agrees "goto"
rules << EOF
-4 pref 100 from 10.0.1.3 blackhole
-4 pref 101 to 172.16.1.0/24 prohibit
-6 pref 100 from fd00:1::3 prohibit
-6 pref 101 to 2001:db8:f:1::/64 unreachable
EOF
before=$(drops blackhole) prohibited=$(drops prohibit)
agrees "blackhole, prohibit, unreachable"
is "dropped by a rule" "$(($(drops blackhole) - before))" 7
is "and refused" "$(($(drops prohibit) - prohibited))" 8
ip -n r route add 172.16.1.0/24 via 10.1.0.2
ip -n r -6 route add 2001:db8:f:1::/64 via fd00:10::2
rules << EOF
-4 pref 100 lookup main suppress_prefixlength 0
-4 pref 101 lookup 100
-6 pref 100 lookup main suppress_prefixlength 0
-6 pref 101 lookup 101
EOF
agrees "suppress_prefixlength"
rules << EOF
-4 pref 100 not from 10.0.1.3 lookup 100
-6 pref 100 not to 2001:db8:f:1::/64 tos 0x48 lookup 100
EOF
agrees "not"
ip -n r route add throw 172.16.0.0/24 table 100
rules << EOF
-4 pref 100 lookup 100
-4 pref 101 from 10.0.1.3 lookup 101
-6 pref 100 lookup 999
-6 pref 101 lookup 101
EOF
agrees "throw, and a table that is empty"
ip -n r route del throw 172.16.0.0/24 table 100
rules < /dev/null
ip -n r route del 172.16.1.0/24
ip -n r -6 route del 2001:db8:f:1::/64

# ---- rules of the file, by marks that its filter sets
marked=0x10
reload_with << 'EOF'
version: 1
interfaces: {lan0: {}, lan1: {}, wan0: {}, wan1: {}, wan2: {}}
routing:
  tables: {guest: 100}
  routes: [{to: 172.16.0.0/24, via: 10.1.2.2, table: guest}]
  rules:
    - {priority: 100, mark: 0x10/0xff, table: guest}
    - {priority: 101, from: 10.0.1.3, dport: 6000, proto: udp, table: 101}
    - {priority: 102, dscp: af21, table: 101}
filter:
  mark:
    hook: prerouting
    priority: mangle
    rules: [{name: seven, proto: udp, dport: 7000, action: {set-mark: 0x10/0xff}}]
EOF
eventually 5 all_mirrored
agrees "rules of the file, with flows"
agrees "and for flows that are known"
is "show rules has them, by name" "$(ctl_json '[(r["priority"], r["fwmark"], r["table"], r["state"]) for r in d
	if r["protocol"] == "router" and r["family"] == "ipv4"][0]' show rules)" '[100, "0x10/0xff", "guest", "in use"]'
is "show routes knows the name" "$(ctl_json 'sorted(r["dst"] for r in d)' show routes table guest | head -c 60)" \
	'["0.0.0.0/0", "172.16.0.0/24", "::/0"]'
check "a table that is not named is refused" grep -q 'there is no table "gest"' <(reload_with 2>&1 << 'EOF'
version: 1
interfaces: {lan0: {}}
routing: {tables: {guest: 100}, rules: [{priority: 1, table: gest}]}
EOF
)
reload_with << 'EOF'
version: 1
interfaces: {lan0: {}, lan1: {}, wan0: {}, wan1: {}, wan2: {}}
routing: {rules: [{priority: 101, from: 10.0.1.3, table: 101}]}
EOF
eventually 5 all_mirrored
is "a reload withdraws what has left the file" "$(ns r ip rule | grep -c 'proto 175')" 1
agrees "after the reload"
# Linux takes a rule for one that asks for more, and never looks at `not`
becomes() # RULE-OF-THE-FILE WHAT-IP-RULE-SAYS
{
	reload_with << END
version: 1
interfaces: {lan0: {}, lan1: {}, wan0: {}, wan1: {}, wan2: {}}
routing: {rules: [{priority: 100, family: ipv4, table: 101$1}]}
END
	is "reload to {${1#, }}" "$(ns r ip rule | sed -nE 's/^100:.(.*) proto 175 *$/\1/p')" "$2 lookup 101"
	eventually 5 all_mirrored
}
becomes ", from: 10.0.1.3" "from 10.0.1.3"
becomes "" "from all"
becomes ", from: 10.0.1.3" "from 10.0.1.3"
becomes ", not: true, from: 10.0.1.3" "not from 10.0.1.3"
agrees "not, after from"
becomes ", from: 10.0.1.3" "from 10.0.1.3"
agrees "from, after not"
router_kill
ns r ip rule add pref 55 lookup 100 protocol 175
router_start "$CONF"
check "a start withdraws what another has left" eventually 5 lacks_rule "^55:"

# ---- a VRF, which is no device here
in_by=lan1
reload_with << 'EOF'
version: 1
interfaces:
  lan0: {}
  lan1: {vrf: red, addresses: [10.0.9.1/24]}
  wan0: {}
  wan1: {}
  wan2: {vrf: red, addresses: [10.1.2.1/24]}
vrfs: {red: {table: 1000}}
routing: {routes: [{to: 172.16.0.0/24, via: 10.1.2.2, table: red}]}
EOF
if ns r ip link show red > "$T/vrf" 2>&1; then
	note "this kernel has VRF devices"
else
	check "its interfaces see its table" eventually 5 has_rule "iif lan1 lookup 1000"
fi
goes_by() # DEVICE IN SRC DST
{
	ctl -j explain in "$2" "udp $3:4000 > $4:5000" | grep "dev $1"
}
check "a VRF's routes" eventually 5 goes_by wan2 lan1 10.0.9.2 172.16.0.1
is "and no others" "$(ctl_json 'd[-1]["reason"]' explain in lan1 'udp 10.0.9.2:4000 > 192.0.2.1:5000')" unreachable
# an error about a packet from a VRF goes back by the VRF's routes, which main does not have
ip -n c addr add 198.51.100.9/32 dev lo
ip -n r route add 198.51.100.9/32 via 10.0.9.2 table 1000
ns c ping -q -c1 -W2 -I 198.51.100.9 192.0.2.1 > "$T/ping" 2>&1
check "an error finds its way back into the VRF" grep -q '+1 errors' "$T/ping"
check "its interfaces reach each other" goes_by wan2 lan1 10.0.9.2 10.1.2.2
check "the others are as before" goes_by wan0 lan0 10.0.1.2 172.16.0.1
reload_with << 'EOF'
version: 1
interfaces: {lan0: {}, lan1: {}, wan0: {}, wan1: {}, wan2: {}}
EOF
check "what a VRF had is withdrawn" eventually 5 lacks_rule "lookup 1000"
is "and its routes" "$(ns r ip route show table 1000 2> /dev/null)" ""
check_conservation

# ---- what Linux refuses: a rule that an old kernel takes for one family only, a VRF whose name is another's
router_stop > "$T/seen"
ip -n r link add blue type veth
KEEPER="setarch $(uname -m) --uname-2.6"
router_start - << 'EOF'
version: 1
interfaces: {lan0: {}, wan0: {}}
routing: {rules: [{priority: 70, dscp: 10, table: 100}]}
vrfs: {blue: {table: 1001}}
EOF
refusals()
{
	grep -cE "knows no DSCP|VRF blue .* none of table 1001" "$(lib_log)"
}
said=$(refusals)
ns r ip addr add 10.0.77.1/32 dev lan0
check "the address is seen" eventually 5 eval 'ctl show routes table local | grep -q 10.0.77.1'
sleep 0.2
is "each is said once" "$said $(refusals)" "2 2"
check "the other family has it" eval 'ns r ip -6 rule | grep -q "^70:"'
finish
