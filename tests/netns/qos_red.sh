#!/bin/bash
# tests/netns/qos_red.sh: RED on a line that one stream fills exactly, so that what others send is
# queued and stays: below its limit nothing is marked, above it what can be marked is, and what
# cannot is dropped early, or let in with nodrop; without ecn it drops that, too.
# check: release-only, slow
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../peers.sh"
. "$(dirname "$0")/../qos.sh"

limit=30000 # bytes
ect1=1 ce=3

# red WORDS: a line of 10 Mbit/s; packets of 1400 bytes have their average follow at once, nearly
red()
{
	qos_conf "qos: {wan0: {egress: {root: {tbf: {rate: 10mbit, burst: 64kb, limit: 1mb}, handle: \"1:\"},
		qdiscs: [{parent: \"1:1\", handle: \"11:\", red: {limit: 1mb, avpkt: 1400, probability: 1,
		min: ${limit}b, max: $((limit + 1))b, burst: 38$1}}]}}}"
}

# stream ADDR TOS, stream_end: a's own shaper makes it as fast as the line, and no faster
stream()
{
	see b 5001 5002
	ns_bg a "${datagrams[@]}" send "$1" 5001 --size 1400 --tos "$2" > "$T/streamed"
	streamer=$!
	sleep 0.5
}

stream_end()
{
	kill -INT $streamer
	wait $streamer
	see_end 1
}

backlog()
{
	qos 11: backlog
}

of_red()
{
	qos 11: xstats | json - "d['$1']"
}

# backlog_to BYTES ADDR TOS: by packets from g; fails if they do not stay
backlog_to()
{
	local now missing
	for _ in {1..5}; do
		now=$(backlog) missing=$(($1 - now))
		echo "$now bytes queued"
		[ $missing -gt 0 ] || return 0
		send g "$2" 5002 --count $(((missing + 1399) / 1400)) --rate 500 --size 1400 --tos "$3"
		sleep 0.3
	done
	return 1
}

# marked: of a hundred packets that leave within a second and a half
marked()
{
	local packets marks
	packets=$(qos 11: packets) marks=$(of_red marked)
	sleep 1.5
	packets=$(($(qos 11: packets) - packets)) marks=$(($(of_red marked) - marks))
	echo $((100 * marks / packets))
}

# below ADDR, above ADDR: what cannot be marked gets in below the limit, and fills it no further
below()
{
	check "$what: below the limit packets get in" backlog_to $((limit * 2 / 3)) "$1" 0
	is "$what: and none is marked" "$(marked)" 0
	is "$what: nor dropped" "$(qos 11: drops)" 0
}

above()
{
	check "$what: packets that can be marked get in above it" backlog_to $((limit * 3 / 2)) "$1" $ect1
	share=$(marked)
	check "$what: $share % are marked" [ "$share" -ge 95 ]
}

received()
{
	is "$what: what is marked says so to the receiver" \
		"$(came 5001 "r['tos'].get('$ce', 0) > 100")" true
	is "$what: what cannot be marked never is" "$(came 5002 "r['tos'].get('$ce', 0) <= $1 and
		set(r['tos']) <= {'0', '$ect1', '$ce'}")" true
	is "$what: in order" "$(came 5001 'r["reordered"]')" 0
}

zones_topo || exit
router_start
check "it forwards" flood_ready ours
ns a tc qdisc add dev a0 root tbf rate 10mbit burst 64kb limit 1m || skip_all "no tbf in this kernel"
check "with a third port" qos_conf
check "over IPv6, too" eventually 5 ns g ping -q -c 1 -W 1 2001:db8:2::2
check "from everywhere" eventually 5 ns g ping -q -c 1 -W 1 10.0.2.2

for to in 10.0.2.2 2001:db8:2::2; do
	what="ecn, $to"
	check "$what" red ', ecn: true'
	stream $to $ect1
	below $to
	above $to
	early=$(of_red early)
	check_not "$what: nothing else gets in" backlog_to $((limit * 3)) $to 0
	check "$what: it was dropped early" [ "$(of_red early)" -gt $((early + 30)) ]
	stream_end
	received $((limit * 3 / 2 / 1400 + 5))
	check "$what: nothing stays" qos_idle
	check "$what: away" qos_conf
done

what=nodrop
check "$what" red ', ecn: true, nodrop: true'
stream 2001:db8:2::2 $ect1
below 2001:db8:2::2
above 2001:db8:2::2
check "$what: what cannot be marked gets in" backlog_to $((limit * 2)) 2001:db8:2::2 0
is "$what: nothing was dropped" "$(qos 11: drops)" 0
stream_end
check "$what: nothing stays" qos_idle
check "$what: away" qos_conf

what="without ecn"
check "$what" red ''
stream 10.0.2.2 $ect1
below 10.0.2.2
check_not "$what: above the limit nothing gets in" backlog_to $((limit * 2)) 10.0.2.2 $ect1
is "$what: nothing is marked" "$(of_red marked)" 0
dropped=$(drops qdisc-aqm)
check "$what: drops have a name" [ "$dropped" -ge "$(of_red early)" ]
stream_end
is "$what: nothing came marked" "$(came 5001 "r['tos'].get('$ce', 0)")" 0
check "$what: nothing stays" qos_idle

refused "a limit below its maximum" 'qos.wan0.egress.root.red.limit: is not above max' \
	'qos: {wan0: {egress: {root: {red: {limit: 20kb, avpkt: 1000, min: 30kb, max: 90kb}}}}}'
check_conservation
finish
