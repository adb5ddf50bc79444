# shellcheck shell=bash disable=SC2034
# tests/load.sh - traffic through the router of topo_three while a fault test does its worst.
#
#   load_start [PPS]    UDP from host a to host b (ours, 10.0.1.2 > 10.0.2.2), until load_stop
#   load_stop           ends both ends; load_sent and load_got say how much it was, load_lost how much of
#                       it nobody counted: the hosts' ends of the cables drop, and say so, what comes
#                       while the machine gives their softirq no time (256 frames fit into a veth)
#   router_pid          of the router under test
#   passes WHAT [SECS]  a check: a's ping to b, over IPv4 and IPv6, gets an answer within SECS (10)
#   log_says WHAT TEXT  a check: the log of the router under test has that text (within 5 s)
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

load_gen=
load_sink=
load_sent=0
load_got=0
load_lost=0
load_before=0

mac_of()
{
	ip -n "$1" -j link show "$2" | json - 'd[0]["address"]'
}

# What the cables dropped: on the way into the router, and behind it.
load_dropped()
{
	local end
	for end in "a a0" "r wan0" "b b0"; do
		ns "${end% *}" ethtool -S "${end#* }" | sed -n 's/.*_xdp_xmit_errors: //p'
		ip -n "${end% *}" -s -j link show "${end#* }" |
			json - '"\n".join(str(d[0]["stats64"][way]["dropped"]) for way in ("rx", "tx"))'
	done | awk '{ n += $1 } END { print n + 0 }'
}

load_start()
{
	load_before=$(load_dropped)
	ns_bg b "$B/tests/tools/pktgen" sink b0 --time 120 --drain 1 -j > "$T/load.sink"
	load_sink=$!
	eventually 5 grep -q ready "$T/load.sink" > /dev/null || not_ok "the sink is ready"
	ns_bg a "$B/tests/tools/pktgen" gen a0 --dst-mac "$(mac_of r lan0)" --src 10.0.1.2 \
		--dst 10.0.2.2 --rate "${1:-5000}" --flows 16 --time 120 -j > "$T/load.gen"
	load_gen=$!
}

load_stop()
{
	kill -INT "$load_gen" 2> /dev/null
	wait "$load_gen"
	kill -INT "$load_sink" 2> /dev/null
	wait "$load_sink"
	load_sent=$(tail -n 1 "$T/load.gen" | json - 'd["packets"]' 2> /dev/null) || load_sent=0
	load_got=$(tail -n 1 "$T/load.sink" | json - 'd["packets"]' 2> /dev/null) || load_got=0
	load_lost=$((load_sent - load_got))
	if [ $load_lost != 0 ]; then
		load_lost=$((load_lost - $(load_dropped) + load_before))
		for end in "a a0" "r lan0" "r wan0" "b b0"; do
			ns "${end% *}" ethtool -S "${end#* }"
			ip -n "${end% *}" -s link show "${end#* }"
		done
		ctl show xdp -s
		ctl show drops -s # the end of what is said is what is read
	fi
	note "load: $load_sent sent, $load_got received, $load_lost unaccounted for"
}

both_families()
{
	ns a ping -q -c 1 -W 1 10.0.2.2 && ns a ping -q -c 1 -W 1 2001:db8:2::2
}

router_pid()
{
	echo "${lib_pid[$ROUTER_DIR]}"
}

# router_gone: waits for one that ends by itself; its exit status.
router_gone()
{
	local rc
	eventually 10 lib_gone || kill "$(router_pid)" # and then its status is another
	wait "$(router_pid)"
	rc=$?
	unset "lib_pid[$ROUTER_DIR]"
	return $rc
}

passes()
{
	check "$1" eventually "${2:-10}" both_families
}

log_says()
{
	check "$1" eventually 5 grep -e "$2" "$(lib_log)"
}
