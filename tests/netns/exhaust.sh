#!/bin/bash
# tests/netns/exhaust.sh: what there is only so much of is used up: flows, outside ports, a source's
# share, places for fragments. Those who have theirs keep it, and the rest is counted.
# check: heavy
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../peers.sh"

interfaces='version: 1
interfaces: {lan0: {}, guest0: {}, wan0: {}}'

flood() # WHAT ARG...: from g, in the background
{
	ns_bg g /usr/bin/python3 "$lib_top/tests/tools/flood.py" "$@" > "$T/flood"
	flooding=$!
	eventually 20 grep -q ready "$T/flood" > /dev/null
}

# start: with the configuration on stdin; sizes and limits are taken at a start only
start()
{
	router_start -
	eventually 5 ns a ping -q -c 1 -W 1 10.0.2.2 > "$T/seen" || not_ok "it forwards"
	counted_before=()
}

end()
{
	check_conservation
	check "the router stops" router_stop
}

# newcomers N: how many of N new connections of a begin within three SYNs
newcomers()
{
	ns a /usr/bin/python3 - "$1" <<- 'END'
	import socket, sys, time
	good = 0
	for _ in range(int(sys.argv[1])):
	    try:
	        s = socket.create_connection(("10.0.2.2", 7001), 3.5)
	        s.settimeout(1)
	        good += s.recv(100).startswith(b"10.0.1.2 ")
	        s.close()
	    except OSError:
	        pass
	    time.sleep(0.01)
	print(good)
	END
}

# counted REASON: more packets than at the last call were dropped for it
declare -A counted_before=()
counted()
{
	local now before=${counted_before[$1]:-0}
	now=$(drops "$1")
	counted_before[$1]=$now
	echo "$1: $now, before: $before"
	[ "$now" -gt "$before" ]
}

# told_or_silent FILE N WORD: of N that did not begin some have that word as the reason, the rest none
told_or_silent()
{
	sort "$1" | uniq -c
	[ "$(wc -l < "$1")" = "$2" ] && grep -q " $3$" "$1" &&
		! grep -qv " $3$\| silent$" "$1"
}

refused_now()
{
	[ "$(ask a "$1" "$2" 7001 --wait 0.3)" = "$3" ]
}

zones_topo
ip -n r route add 10.100.0.0/16 via 10.0.3.2
ip -n b route add blackhole 10.100.0.0/16 # it does not answer the flood
serve b tcp:7000-7003 udp:7000-7003

note "a SYN flood, ten times as many as there may be flows"
established=1000 max=4000 rate=20000
case $B in *san-*) established=300 max=1200 rate=4000 ;; esac
start <<- END
	$interfaces
	conntrack: {max: $max, when-full: early-drop, tcp-loose: false}
	filter: {own: {hook: forward, priority: filter, rules: [{name: inv, ct: invalid, action: drop}]}}
END
check "$established connections" hold old a tcp 10.0.2.2 7000 $established
flood syn 10.0.2.2 7002 --rate $rate --seconds 4
sleep 1
good=$(newcomers 50)
note "of 50 new connections in a flood of $rate SYNs a second $good begin"
check "most new connections begin" [ "$good" -ge 40 ]
is "all that were established talk while it goes on" "$(again old)" "$established 0"
wait $flooding
check "it was ten times the flows there may be" [ "$(tail -n 1 "$T/flood")" -gt $((10 * max)) ]
is "and afterwards" "$(again old)" "$established 0"
is "never more flows than there may be" "$(ctl_json "d['live'] <= $max and d['max']" \
	show conntrack stats)" "$max"
check "who had to go is counted" [ "$(ctl_json 'd["early_dropped"]' show conntrack stats)" -gt $max ]
hold_end old
end

note "drop-new"
start <<- END
	$interfaces
	conntrack: {max: $max, when-full: drop-new}
END
check "$established connections" hold old a tcp 10.0.2.2 7000 $established
flood syn 10.0.2.2 7002 --rate $rate --seconds 1
wait $flooding
answers "a full table lets nobody in" a tcp 10.0.2.2 7001 silent
check "it is counted" counted ct-full
is "who is in talks" "$(again old)" "$established 0"
hold_end old
end

note "a source's share"
start <<- END
	$interfaces
	conntrack: {per-source-max: 50}
END
ctl flush conntrack > "$T/flush"
check_not "60 flows of one source" hold many a udp 10.0.2.2 7000 60 --wait 0.2
is "are 50" "$hold_ready" "ready 50"
check "the others are counted" counted ct-source-limit
answers "another source has its own share" g udp 10.0.2.2 7000 10.0.3.2
is "the 50 talk" "$(again many)" "50 0"
hold_end many
end

note "outside ports"
start <<- END
	$interfaces
	nat:
	  source:
	    - {name: home, from: [10.0.0.0/8, "2001:db8:1::/64"], out: wan0, action: masquerade, ports: 40000-40099}
END
for to in 10.0.2.2 2001:db8:2::2; do
	case $to in *:*) v=IPv6 refused=prohibited ;; *) v=IPv4 refused=unreachable ;; esac
	for proto in udp tcp; do
		check_not "$v, $proto: 120 flows want one" hold $v$proto a $proto $to 7000 120 --wait 0.3
		is "100 get one" "$hold_ready" "ready 100"
		check "the others are told that it is prohibited, as often as errors may be sent" \
			told_or_silent "$T/hold.$v$proto.err" 20 $refused
		check "it is counted" counted nat-exhausted
		check "so is one more" eventually 5 refused_now $proto $to $refused
		is "the 100 talk, from where they were" "$(again $v$proto)" "100 0"
	done
done
is "show nat ports says so" "$(ctl_json 'sorted((r["address"], r["udp"]["taken"], r["tcp"]["taken"],
	r["exhausted"] > 20) for r in d if r["exhausted"])' show nat ports)" \
	'[["10.0.2.1", 100, 100, true], ["2001:db8:2::1", 100, 100, true]]'
for proto in udp tcp; do hold_end IPv4$proto && hold_end IPv6$proto; done
check "when they are gone" ctl flush conntrack
answers "others come in" a udp 10.0.2.2 7001 10.0.2.1
end

note "fragments whose first never comes"
start <<- END
	$interfaces
	conntrack: {fragments: 256, fragments-per-source: 4}
END
flood fragments 10.0.2.2 --rate $rate --seconds 5
ns a ping -q -s 3000 -i 0.02 -c 50 -W 1 10.0.2.2 > "$T/ping"
check "another source's fragments pass beside them" grep -q "50 received" "$T/ping"
ns a ping -q -i 0.001 -c 3000 -W 2 10.0.2.2 > "$T/ping"
check "no packet of a 1 kpps probe is lost beside them" grep -q "3000 received, 0% packet loss" "$T/ping"
note "$(tail -n 2 "$T/ping" | tr '\n' ' ')"
answers "connections begin" a tcp 10.0.2.2 7001 10.0.1.2
wait $flooding
check "they are counted" counted frag-limit
check_conservation
finish
