#!/bin/bash
# The short form of the benchmarks for `make check`: figures that need no idle machine, against twice
# their bars. What is slower than that on a busy machine is a mistake, not noise. TAP.
cd "$(dirname "$0")/../.." || exit
. tests/tap.sh
B=${B:-build/release}

# within KEY LIMIT GOT UNIT
within()
{
	if awk -v v="$3" -v l="$2" 'BEGIN { exit !(v != "" && v >= 0 && v <= l) }'; then
		ok "$1: $3 $4, at most $2"
	else
		not_ok "$1: $3 $4, at most $2"
	fi
}

within fwd4 140 "$("$B/tests/bench/bench-c" fwd4)" "cycles a packet"
within fwd6 182 "$("$B/tests/bench/bench-c" fwd6)" "cycles a packet"
within fwd4-full 220 "$("$B/tests/bench/bench-c" fwd4-full)" "cycles a packet"
within fwd6-full 286 "$("$B/tests/bench/bench-c" fwd6-full)" "cycles a packet"
within ct-1k 190 "$("$B/tests/bench/bench-c" ct-1k)" "cycles a packet"
within nat-1k 240 "$("$B/tests/bench/bench-c" nat-1k)" "cycles a packet"
within nat-64k 360 "$("$B/tests/bench/bench-c" nat-64k)" "cycles a packet"
within rules 4000 "$("$B/tests/bench/bench-c" rules)" "ns a first packet, 1,000 rules"
within flow-mem 256 "$("$B/tests/bench/bench-c" flow-mem 2> /dev/null)" "MiB for a million NAT flows" # no noise in this one
within fib-size4 40 "$("$B/tests/bench/bench-c" fib-size4)" "MiB for a full table of IPv4" # nor in these
within fib-size6 40 "$("$B/tests/bench/bench-c" fib-size6)" "MiB for a full table of IPv6"
within qos-1k 750 "$("$B/tests/bench/bench-c" qos-1k)" "cycles a packet"
within qos-idle 750 "$("$B/tests/bench/bench-c" qos-idle)" "cycles a packet"
export BENCH_TIME=1 BENCH_SECONDS=1 # rates in CPU time, so that others may have the core as well
within rate-htb 3 "$("$B/tests/bench/bench-c" rate-htb)" "% off, and no promise broken"
within rate-5g 3 "$("$B/tests/bench/bench-c" rate-5g)" "% off, and no promise broken"
within htb-tree 6 "$("$B/tests/bench/bench-c" htb-tree)" "% off the ideal shares"
{ read -r cpu _; read -r turn; } < <("$B/tests/bench/bench-c" reload-loop 2>&1)
within reload 600 "$cpu" "ms of CPU time, 10,000 rules and 1,000 classes"
within reload-loop 1000 "$turn" "us, the longest turn meanwhile" # a busy machine adds to it
[ "$(id -u)" = 0 ] && unshare --mount --net true 2> /dev/null || { skip "rss, dump" "may not unshare namespaces here"; exit; }
within rss 32768 "$(tests/bench/rss.sh)" "KiB without packet memory"
read -r mib _ < <(LOAD_FLOWS=30000 tests/bench/load.sh dump 20000)
within dump 1 "$mib" "MiB, 30,000 flows dumped"
exit "$tap_failed"
