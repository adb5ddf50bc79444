#!/bin/bash
# tests/netns/failover.sh: on-failure: Linux stands in for a router that is dead or hung, with NAT, and gives
# back what it carried on; or nobody does.
# check: release-only
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../peers.sh"

config() # pass|drop
{
	cat <<- END
	version: 1
	interfaces: {lan0: {on-failure: $1}, lan1: {on-failure: $1}, wan0: {on-failure: $1}}
	nat:
	  source:
	    - {name: home, from: 10.0.0.0/8, out: wan0, action: masquerade, ports: 10000-59000}
	    - {name: home6, from: "fd00::/16", out: wan0, action: masquerade, ports: 10000-59000}
	END
}

# watch: whoever is outside never sees an inside address, and nobody ever sees a reset.
watch()
{
	ns x nft -f - <<- END
	add table inet watch
	add counter inet watch leaks
	add counter inet watch resets
	add chain inet watch in { type filter hook prerouting priority -300; }
	add rule inet watch in iifname x0 ip saddr 10.0.0.0/8 counter name leaks
	add rule inet watch in iifname x0 ip6 saddr fd00::/16 counter name leaks
	add rule inet watch in tcp flags & rst == rst counter name resets
	END
}

seen() # COUNTER
{
	ns x nft -j list counter inet watch "$1" | json - '[o["counter"]["packets"] for o in d["nftables"] if "counter" in o][0]'
}

forwarding()
{
	ns r cat /proc/sys/net/ipv4/conf/{lan0,lan1,wan0}/forwarding | xargs
}

# gap WHAT CMD...: for how long pings every millisecond are lost while CMD is done, in ms. What counts is the
# time between two answers with others missing in between: whoever pings may have to wait for a CPU.
gap()
{
	local pinging gap
	ns_bg a ping -D -n -i 0.001 -w 2 198.51.100.2 > "$T/ping" 2>&1
	pinging=$!
	sleep 0.7
	"${@:2}"
	wait $pinging
	gap=$(sed -n 's/^\[\([0-9.]*\)\].*icmp_seq=\([0-9]*\) .*/\1 \2/p' "$T/ping" | awk '
		NR > 1 && $2 > seq + 1 && $1 - last > most { most = $1 - last }
		{ last = $1; seq = $2 }
		END { printf "%d", (NR > 50) ? most * 1000 : 9999 }')
	note "$1: $gap ms without an answer"
	check "$1: at most 150 ms" [ "$gap" -le 150 ]
}

signal()
{
	kill "-$1" "${lib_pid[$ROUTER_DIR]}"
	[ "$1" = CONT ] || eventually 2 grep -q '^State:.*T (' "/proc/${lib_pid[$ROUTER_DIR]}/status"
}

talk_on() # WHEN NAME...
{
	local name
	for name in "${@:2}"; do
		is "$1: $name talks on, as whom it was" "$(again "$name")" "20 0"
	done
}

nat_topo
ns a sysctl -qw net.ipv4.ip_local_port_range="32768 58000"
watch
before=$(forwarding)
config pass > "$T/pass.yaml"
router_start "$T/pass.yaml"
check "it forwards" eventually 5 ns a ping -q -c 1 -W 1 198.51.100.2
check "IPv6 too" eventually 5 ns a ping -q -c 1 -W 1 2001:db8:b::2
check "show interfaces tells what happens on failure" [ "$(ctl_json '{r["on_failure"] for r in d} == {"pass"}' \
	show interfaces)" = true ]
serve b tcp:7000 udp:7000
for name in tcp udp; do
	check "$name conversations" hold first-$name a $name 198.51.100.2 7000 20
done
check "IPv6's" hold first-six a tcp 2001:db8:b::2 7000 20
ns_bg b /usr/bin/python3 -c 'import socket
c, n = socket.create_server(("", 9000)).accept()[0], 0
while d := c.recv(1 << 16):
	n += len(d)
c.sendall(b"%d" % n)' > "$T/sink" 2>&1
eventually 5 sh -c 'nsenter --net=/run/netns/b ss -ltn | grep -q :9000' > "$T/listens"
ns_bg a /usr/bin/python3 -c 'import socket, time
c = socket.create_connection(("198.51.100.2", 9000))
for i in range(700):
	c.sendall(bytes(40960))
	time.sleep(0.01)
c.shutdown(socket.SHUT_WR)
print(c.recv(100).decode())' > "$T/bytes" 2>&1
loading=$!

note "killed, and nobody comes"
gap "kill -9" router_kill KILL
talk_on "Linux stands in" first-tcp first-udp first-six
check "new ones begin" hold second-tcp a tcp 198.51.100.2 7000 20
check "UDP, too" hold second-udp a udp 198.51.100.2 7000 20
check "the load goes on" kill -0 $loading
gap "and one starts again" router_start "$T/pass.yaml"
talk_on "back" first-tcp first-udp first-six second-tcp second-udp
check "Linux has forgotten them" eventually 2 sh -c "[ \$(nsenter --net=/run/netns/r conntrack -L -p tcp 2> /dev/null |
	grep -c dport=7000) = 0 ]"
is "they are flows of ours" "$(ctl_json 'len(d)' show conntrack proto tcp dport 7000)" 60

note "hung, and alive again"
gap "SIGSTOP" signal STOP
talk_on "Linux stands in" first-tcp first-udp first-six second-tcp
check "new ones begin" hold third-tcp a tcp 198.51.100.2 7000 20
gap "SIGCONT" signal CONT
talk_on "back" first-tcp first-udp first-six second-tcp second-udp third-tcp
wait $loading
is "all bytes of the load came" "$(cat "$T/bytes")" $((700 * 40960))
is "resets seen" "$(seen resets)" 0
is "inside addresses seen outside" "$(seen leaks)" 0
check "it counts what Linux got" [ "$(ctl_json 'd[0]["verdicts"]["pass-stale"]' show xdp -s)" -gt 100 ]
for name in first-tcp first-udp first-six second-tcp second-udp third-tcp; do hold_end $name; done

note "somebody flushes all rules of Linux"
ns r nft flush ruleset
check "NAT's are there again" eventually 7 ns r nft list chain inet router standin-srcnat

note "a router that leaves in order"
is "Linux could forward" "$(forwarding)" "1 1 1"
router_kill KILL
check "after a kill --cleanup" ns r "$B/router" --cleanup -R "$ROUTER_DIR"
is "takes that away" "$(forwarding)" "$before"
router_start "$T/pass.yaml"
config drop > "$CONF"
check "drop instead" ctl reload --wait
is "does, too" "$(forwarding)" "$before"
check_not "and leaves no NAT in Linux" ns r nft list chain inet router standin-srcnat
check "it forwards" ns a ping -q -c 1 -W 1 198.51.100.2

note "on-failure: drop"
signal STOP
is "hung: nothing passes" "$(ns a ping -q -n -c 20 -i 0.02 -W 1 198.51.100.2 | grep -o '[0-9]* received')" "0 received"
signal CONT
check "alive again, it forwards" eventually 2 ns a ping -q -c 1 -W 1 198.51.100.2
check_conservation
router_kill KILL
is "dead: nothing passes" "$(ns a ping -q -n -c 20 -i 0.02 -W 1 198.51.100.2 | grep -o '[0-9]* received')" "0 received"
is "inside addresses seen outside" "$(seen leaks)" 0
finish
