#!/bin/bash
# tests/netns/idle.sh: a router with nothing to do does nothing, and wakes up at once.
# check: release-only
. "$(dirname "$0")/../lib.sh"

# cpu_ns: what all threads of the router have run so far.
cpu_ns()
{
	cat /proc/"${lib_pid[$ROUTER_DIR]}"/task/*/schedstat | awk '{ s += $1 } END { print s }'
}

# woken ADDR: the median time of a ping there and back, each after two seconds of silence, in us.
woken()
{
	local _
	for _ in 1 2 3 4 5; do
		sleep 2
		ns a ping -c 1 -W 2 "$1" | sed -n 's/.*time=\([0-9.]*\) ms/\1/p'
	done > "$T/times"
	sort -n "$T/times" | awk '{ t[NR] = $1 } END { if (NR == 5) printf "%d", t[3] * 1000 }'
}

topo_three
router_start
check "it forwards" ns a ping -q -c 3 -i 0.1 -W 2 10.0.2.2
ns a ping -q -c 3 -i 0.1 -W 2 2001:db8:2::2 > /dev/null
sleep 2

note "idle"
before=$(cpu_ns)
sleep 3
used=$(($(cpu_ns) - before))
note "idle for 3 s: $((used / 1000)) us of a CPU"
check "an idle router uses less than 1 % of a core" [ $used -lt 30000000 ]

note "awake: two passes, there and back, and the hosts' own time"
for to in 10.0.2.2 2001:db8:2::2; do
	us=$(woken $to)
	note "$to: median $us us of $(tr '\n' ' ' < "$T/times")ms"
	check "$to: the first packet after 2 s is forwarded within 1 ms" [ "${us:-9999}" -lt 2000 ]
done
check "the worker slept in between" [ "$(ctl_json 'd[0]["sleeps"]' show workers)" -gt 10 ]
check_conservation
finish
