#!/bin/bash
# tests/netns/qos_rate.sh: tbf and htb let through what they say, of short frames and long ones, with
# twice as much offered or more; as exactly as asked, or as Linux's own beside them on the same machine. In
# order, without a gap, and nothing is left when it is over. Queues hold 300 ms where there is memory
# for it: a generator that has to wait for its CPU must not be taken for a slow line.
# check: release-only
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../peers.sh"
. "$(dirname "$0")/../qos.sh"

settle=1
declare -A bits=([1mbit]=1000000 [10mbit]=10000000 [100mbit]=100000000)
declare -A burst=([1mbit]=5kb [10mbit]=16kb [100mbit]=128kb)
declare -A queue=([1mbit]=40kb [10mbit]=400kb [100mbit]=4000kb)
declare -A seconds=([1mbit]=5 [10mbit]=2 [100mbit]=2) # of 1 Mbit/s two are 180 frames: one is half a bar
declare -A offer=([1mbit]=6 [10mbit]=4 [100mbit]=2) # times the rate
declare -A sizes=([1mbit]=1400 [10mbit]="64 1400" [100mbit]=1400) # bench has them all
declare -A bar=([1mbit]=0.01 [10mbit]=0.01 [100mbit]=0.025)

# tree KIND RATE: in the words of the configuration
tree()
{
	case $1 in
	tbf) echo "{root: {tbf: {rate: $2, burst: ${burst[$2]}, limit: ${queue[$2]}}, handle: \"1:\"}}" ;;
	htb) echo "{root: {htb: {default: all}, handle: \"1:\"}, classes: {all: {handle: \"1:10\",
		rate: $2, burst: ${burst[$2]}, cburst: ${burst[$2]}, leaf: {bfifo: {limit: ${queue[$2]}}}}}}" ;;
	esac
}

# linux_tree KIND RATE: in tc's
linux_tree()
{
	ns l tc qdisc del dev wan0 root 2> "$T/tc"
	case $1 in
	tbf) ns l tc qdisc add dev wan0 root tbf rate "$2" burst "${burst[$2]}" limit "${queue[$2]}" ;;
	htb) ns l tc qdisc add dev wan0 root handle 1: htb default 10 &&
		ns l tc class add dev wan0 parent 1: classid 1:10 htb rate "$2" \
			burst "${burst[$2]}" cburst "${burst[$2]}" &&
		ns l tc qdisc add dev wan0 parent 1:10 bfifo limit "${queue[$2]}" ;;
	esac
}

# watch NS SECONDS LENGTH: bits a second of frames of that length that come to b0 there after settling: in
# all, in the slowest second and in the fastest
watch()
{
	ns "$1" /usr/bin/python3 - $settle "$2" "$3" <<- 'END'
	import sys, time
	settle, seconds, length = map(int, sys.argv[1:])
	def seen():
	    for line in open("/proc/self/net/dev"):
	        name, _, numbers = line.partition(":")
	        if name.strip() == "b0":
	            return time.monotonic(), int(numbers.split()[1])
	time.sleep(settle)
	at = [seen()]
	for i in range(seconds):
	    time.sleep(max(0, at[0][0] + i + 1 - time.monotonic()))
	    at.append(seen())
	def rate(x, y):
	    return (y[1] - x[1]) * length * 8 / (y[0] - x[0])
	rates = [rate(x, y) for x, y in zip(at, at[1:])]
	print(round(rate(at[0], at[-1])), round(min(rates)), round(max(rates)))
	END
}

# measure NAME RATE SIZE: into $rate, $least and $most; fails if the generator did not keep up
measure()
{
	local to=b pps=$((bits[$2] / 8 / ($3 - 4))) time=${seconds[$2]}
	[ "$1" != linux ] || to=lb
	watch $to "$time" $(($3 - 4)) > "$T/$1.rate" &
	local watcher=$!
	flood "$1" "$3" $((pps * offer[$2])) $((settle + time + 1)) || return
	wait $watcher
	read -r rate least most < "$T/$1.rate"
	[ "$(json "$T/$1.gen" "(d['packets'] - d['dropped']) > 1.2 * $pps * $((settle + time))")" = true ]
}

# within GOT WANT SHARE
within()
{
	awk -v got="$1" -v want="$2" -v share="$3" \
		'BEGIN { exit !(got >= want * (1 - share) && got <= want * (1 + share)) }'
}

as_exact_as_linux()
{
	local mine=$rate
	linux_tree "$1" "$2" && measure linux "$2" "$3" || return
	note "Linux beside it: $rate bit/s, $least to $most"
	within "$mine" "$rate" 0.01
}

exact()
{
	within "$rate" "${bits[$2]}" "${bar[$2]}" || as_exact_as_linux "$@"
}

steady()
{
	within "$least" "${bits[$1]}" 0.05 && within "$most" "${bits[$1]}" 0.05
}

case_of()
{
	local what="$1 at $2, frames of $3" measured
	measure ours "$2" "$3"
	measured=$?
	for _ in 1 2; do # others may have had the CPU
		[ $measured = 0 ] && ! steady "$2" || break
		note "$what: $rate bit/s, $least to $most; once more, on a busy machine"
		measure ours "$2" "$3"
		measured=$?
	done
	if [ $measured != 0 ]; then
		skip "$what" "the generator makes too few: $(json "$T/ours.gen" 'd["pps"]') a second"
		return
	fi
	note "$what: $rate bit/s, $least to $most in a second"
	check "$what: no second is off by more than 5 %" steady "$2"
	is "$what: in order, and once" "$(json "$T/ours.sink" '[d["reordered"], d["duplicates"]]')" "[0, 0]"
	check "$what: the rate" exact "$@"
	check "$what: nothing is left" qos_idle
}

qos_topo && linux_topo || exit
router_start
check "it forwards" flood_ready ours
check "and so does Linux" flood_ready linux
for kind in tbf htb; do
	for at in 1mbit 10mbit 100mbit; do
		check "$kind at $at is set" shape "$(tree $kind $at)"
		for size in ${sizes[$at]}; do
			case_of $kind $at $size
		done
	done
done
check "its statistics count what was sent and what was dropped" eval \
	'[ "$(qos 1: packets)" -gt 0 ] && [ "$(qos 1: drops)" -gt 0 ]'
check "without a tree it forwards at once" shape
check "as before" ns a ping -q -c 5 -i 0.01 10.0.2.2
check_conservation
finish
