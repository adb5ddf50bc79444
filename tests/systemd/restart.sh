#!/bin/bash
# tests/systemd/restart.sh: one process of the installed service after the other, under load: killed,
# restarted, hung. systemd keeps the descriptors meanwhile, and no packet is lost.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../tap.sh"
. "$here/world"

# another PID: the service runs, as another process.
another()
{
	[ "$(property router SubState)" = running ] && [ "$(property router MainPID)" != "$1" ] &&
		routerctl show status > /dev/null 2>&1
}

# answers: how many answers have come back to host a, as its kernel counts them: a burst of them is more
# than ping's socket takes.
answers()
{
	ip netns exec a nstat -asz IcmpInEchoReps | awk 'END { print $2 }'
}

# lost SINCE: the number of pings that were not answered, in the end.
lost()
{
	echo $(($(sed -n 's/^\([0-9]*\) packets transmitted.*/\1/p' $T/ping) - $(answers) + $1))
}
none_lost()
{
	[ "$(lost "$1")" = 0 ]
}

# through WHAT PINGS COMMAND...: COMMAND makes another process of the router during PINGS pings, 500 a
# second, each of which is answered.
through()
{
	local what=$1 count=$2 pid ping since
	shift 2
	pid=$(property router MainPID) since=$(answers)
	ip netns exec a ping -q -i 0.002 -c "$count" 10.0.2.2 > $T/ping 2>&1 &
	ping=$!
	sleep 0.2
	check "$what" "$@"
	check "$what: another process runs" eventually 10 another "$pid"
	wait $ping
	check "$what: every ping is answered" eventually 5 none_lost "$since"
	note "lost: $(lost "$since")"
}

# kept: the number of descriptors that systemd holds for the service.
kept()
{
	property router NFileDescriptorStore
}

# adopted TIMES: so often has a process said that it goes on with what it found.
adopted()
{
	journalctl --sync
	[ "$(journalctl -u router -o cat --no-pager | grep -c 'going on where the last process')" = "$1" ]
}

# balanced: every frame and every packet is accounted for.
balanced()
{
	routerctl -j show memory > $T/memory && routerctl -j show status > $T/status &&
		python3 - $T/memory $T/status <<-'PY'
		import json, sys
		m, s = (json.load(open(f)) for f in sys.argv[1:])
		assert m["missing"] == 0, m
		assert s["rx_packets"] + s["generated"] == s["tx_packets"] + s["dropped"] + s["held"], s
		PY
}

systemd-sysusers
hosts '' lan0 wan0 ip
sysctl -qw net.ipv4.ip_forward=0
configure /etc/router/router.yaml lan0 wan0
mkdir -p /etc/systemd/system/router.service.d
printf '[Service]\nWatchdogSec=2\n' > /etc/systemd/system/router.service.d/test.conf
systemctl daemon-reload
is "before the start nothing is kept" "$(kept)" 0
check "it starts" systemctl start router
check "it forwards" pings ''
n=$(kept)
check "descriptors are kept for the next process ($n)" test "$n" -ge 6

# ---- without a loss
through "systemctl kill -s KILL" 500 systemctl kill -s KILL router
is "the next one keeps as many" "$(kept)" "$n"
through "systemctl restart" 500 systemctl restart router
through "routerctl restart" 500 routerctl restart
through "systemctl try-restart" 500 systemctl try-restart router
check "each went on where the last one ended" adopted 4
is "and keeps as many" "$(kept)" "$n"
hang()
{
	kill -STOP "$(property router MainPID)"
}
through "the watchdog" 1500 hang
check "it went on there, too" adopted 5
check "the books balance" eventually 3 balanced
is "nothing was dropped" "$(routerctl -j show drops)" "[]"

# ---- the file is refused meanwhile
printf 'interfacs: {}\n' >> /etc/router/router.yaml
pid=$(property router MainPID)
check_not "it does not leave for a file that is refused" routerctl restart
is "the same process runs" "$(property router MainPID)" "$pid"
through "systemctl restart with a file that is refused" 500 systemctl restart router
check "it says so" grep -q "the file is refused" <(property router StatusText)
through "killed with such a file" 500 systemctl kill -s KILL router
sed -i '$d' /etc/router/router.yaml
check "mended, it reloads" systemctl reload router
check_not "and says so no longer" grep -q "the file is refused" <(property router StatusText)

# ---- a stop is an end
check "it stops" systemctl stop router
is "nothing is kept" "$(kept)" 0
check_not "no program is left on lan0" has_xdp lan0
check_not "no program is left on wan0" has_xdp wan0
check "nothing is pinned" test -z "$(find /sys/fs/bpf/router -mindepth 1)"
check "it starts again" systemctl start router
check "cold" adopted 7
check "and forwards" pings ''

# ---- one a namespace
ip netns add blue && ip -n blue link set lo up
hosts blue lan0 wan0 ip -n blue
configure /etc/router/blue.yaml lan0 wan0
check "router@blue starts" systemctl start router@blue
check "it is restarted" systemctl restart router@blue
check "it goes on where it ended" eventually 3 sh -c \
	'journalctl -u router@blue -o cat --no-pager | grep -q "going on where the last process stopped"'
check "it forwards" pings blue
finish
