#!/bin/bash
# tests/netns/qos_netem.sh: a bad line is as bad as asked: delay and its spread, loss within what
# chance allows and no other loss, copies, packets that overtake, a rate, a queue to the packet.
# check: release-only, slow
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../peers.sh"
. "$(dirname "$0")/../qos.sh"

netem()
{
	shape "{root: {netem: {$1}, handle: \"1:\"}}"
}

# probe ADDR [COUNT [OPTION...]]: a thousand a second; what came is in $T/came
probe()
{
	see b 5001
	send a "$1" 5001 --rate 1000 --count "${2:-1500}" "${@:3}" > "$T/sent"
	see_end
}

of_delay()
{
	came 5001 "r['delay_us']['$1']"
}

is_delay() # ADDR MICROSECONDS
{
	shape && probe "$1" || return
	local idle added
	idle=$(of_delay mean)
	netem "$want" && probe "$1" || return
	added=$(awk -v a="$(of_delay mean)" -v b="$idle" 'BEGIN { print a - b }')
	echo "$idle us without, $added more with: $want"
	awk -v a="$added" -v b="$2" 'BEGIN { exit !(a > b - 200 && a < b + 200) }'
}

# spread SIGMA: and none is lost of those that wait
spread()
{
	probe 10.0.2.2 3000
	echo "$(of_delay sd) us"
	near "$(of_delay sd)" "$1" 0.1 && [ "$(came 5001 'r["packets"]')" = 3000 ]
}

# chance HITS N P: is that within what happens in 99 of 100 cases?
chance()
{
	echo "$1 of $2, probability $3"
	awk -v k="$1" -v n="$2" -v p="$3" 'BEGIN { d = k - n * p
		exit !(d * d <= 2.576 ^ 2 * n * p * (1 - p)) }'
}

loss()
{
	local before received came
	before=$(drops qdisc-loss) received=$(show_if lan0 rx_packets)
	flood ours 64 20000 5 || return
	lost=$(($(drops qdisc-loss) - before)) received=$(($(show_if lan0 rx_packets) - received))
	came=$(json "$T/ours.sink" 'd["packets"]')
	echo "$received received, $lost lost, $came came"
	chance $lost $received 0.01 && [ $((received - lost - came)) -le 2 ] &&
		[ "$(qos 1: drops)" -ge $lost ]
}

rate()
{
	see b 5001
	send a 10.0.2.2 5001 --rate 1250 --size 1000 --seconds 4 > "$T/sent"
	see_end 2
	came 5001 'r["bits"]'
	near "$(came 5001 'r["bits"]')" 5000000 0.02
}

qos_topo || exit
router_start
check "it forwards" flood_ready ours
check "over IPv6" eventually 5 ns a ping -q -c 1 -W 1 2001:db8:2::2

for to in 10.0.2.2 2001:db8:2::2; do
	want='delay: 20ms'
	check "20 ms are 20 ms, to $to" retry is_delay $to 20000
	is "and nothing is lost or reordered" "$(came 5001 '[r["different"], r["reordered"]]')" "[1500, 0]"
done
want='delay: 10ms, reorder: 100%, gap: 5'
check "every fifth overtakes" retry is_delay 10.0.2.2 8000
is "past those before it" "$(came 5001 '200 < r["reordered"] and r["different"] == 1500')" true

check "a jitter of 2 ms, evenly" netem 'delay: 20ms, jitter: 2ms'
check "has a deviation of 2 / sqrt 3 ms" retry spread 1155
is "and lets packets overtake" "$(came 5001 'r["reordered"] > 100')" true
check "a normal one" netem 'delay: 20ms, jitter: 2ms, distribution: normal'
check "of 2 ms" retry spread 2000

check "a loss of 1 %" netem 'loss: 1%, seed: 7'
check "a hundred thousand packets: what chance allows, and no other" retry loss

check "copies of 10 %" netem 'duplicate: 10%, seed: 7'
probe 10.0.2.2 2000
copies=$(came 5001 'r["packets"] - r["different"]')
check "of two thousand: what chance allows" chance "$copies" 2000 0.1
is "all of them came" "$(came 5001 'r["different"]')" 2000

check "all lost, or marked" netem 'loss: 100%, ecn: true'
probe 2001:db8:2::2 100 --tos 2
is "what can be marked is, and comes" "$(came 5001 'r["tos"]')" '{"3": 100}'
probe 10.0.2.2 100 --tos 2
is "over IPv4, too, with a checksum that is right" "$(came 5001 'r["tos"]')" '{"3": 100}'
probe 10.0.2.2 100
is "what cannot be is lost" "$(came 5001 'r["packets"]')" 0

check "all damaged" netem 'corrupt: 100%'
probe 10.0.2.2 300 --size 1000
check "a bit wrong, that checksums see unless it is the source MAC's" [ \
	"$(came 5001 'r["packets"]')" -lt 15 ]

check "a rate of 5 Mbit/s" netem 'rate: 5mbit, limit: 2000'
check "is exact" retry rate
check "nothing is left" qos_idle

check "a queue of 100" netem 'delay: 1s, limit: 100'
full=$(drops qdisc-full)
see b 5001
send a 10.0.2.2 5001 --count 150 --rate 2000 > "$T/sent"
see_end 1.5
is "keeps a hundred of 150" "$(came 5001 '[r["packets"], r["reordered"]]')" "[100, 0]"
is "and drops fifty" $(($(drops qdisc-full) - full)) 50
check "nothing is left" qos_idle

refused "no more than all can be lost" 'qos.wan0.egress.root.netem.loss: "101%" is more than all' \
	'qos: {wan0: {egress: {root: {netem: {loss: 101%}}}}}'
refused "what overtakes needs a delay" 'qos.wan0.egress.root.netem.reorder: has no meaning without delay' \
	'qos: {wan0: {egress: {root: {netem: {reorder: 10%}}}}}'
check_conservation
finish
