#!/bin/bash
# tests/systemd/service.sh: the installed service under a real systemd: ready means forwarding, a
# reload is synchronous and fails when the file is refused, a hang and a crash are short, and when it
# stops the ports are Linux's again.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../tap.sh"
. "$here/world"

# restarted SINCE: the service has been started again after SINCE restarts, and is ready.
restarted()
{
	[ "$(property router NRestarts)" -gt "$1" ] && systemctl is-active -q router
}

systemd-sysusers
hosts '' lan0 wan0 ip
sysctl -qw net.ipv4.ip_forward=0
configure /etc/router/router.yaml lan0 wan0
# What a test can wait for.
mkdir -p /etc/systemd/system/router.service.d
printf '[Service]\nWatchdogSec=3\n' > /etc/systemd/system/router.service.d/test.conf
systemctl daemon-reload

# ---- start
check_not "before the start nothing is forwarded" pings ''
check "it starts" systemctl start router
check "ready means forwarding" pings ''
is "it is active" "$(systemctl is-active router)" active
is "the watchdog is on" "$(property router WatchdogUSec)" 3s
check "it says in words what it does" test -n "$(property router StatusText)"
note "status: $(property router StatusText)"
check "a program is on lan0" has_xdp lan0
check "routerctl reaches it without options" routerctl show status
socket=$(find /run/router -type s | sort | head -n 1)
is "the control socket belongs to the group" "$(stat -c %G "$socket")" router

# ---- reload
pid=$(property router MainPID)
cp /etc/router/router.yaml $T/good.yaml
printf 'routing:\n  routes:\n    - {to: 10.0.99.0/24, via: 10.0.2.2}\n' >> /etc/router/router.yaml
check "a good file reloads" systemctl reload router
check "and is in force when the reload returns" grep -q 'via 10.0.2.2' <(ip route show 10.0.99.0/24)
printf 'interfacs: {}\n' >> /etc/router/router.yaml
check_not "a bad file fails the reload" systemctl reload router
check "the journal says where" eventually 3 sh -c 'journalctl -u router --no-pager | grep -q router.yaml:8:1'
is "it is still active" "$(systemctl is-active router)" active
is "it is the same process" "$(property router MainPID)" "$pid"
check "and forwards" pings ''
cp $T/good.yaml /etc/router/router.yaml
check "the good file reloads again" systemctl reload router
is "the route that left the file left Linux" "$(ip route show 10.0.99.0/24)" ""

# ---- it moves, it hangs, it dies
sleep 4
is "a working router feeds its watchdog" "$(property router NRestarts) $(property router MainPID)" "0 $pid"
kill -STOP "$pid"
check "a hung one is replaced" eventually 15 restarted 0
check "the next one forwards" pings ''
check "its socket is back" routerctl show status
kill -KILL "$(property router MainPID)"
check "a killed one is replaced" eventually 10 restarted 1
check "the next one forwards too" pings ''

# ---- stop
check "it stops" systemctl stop router
is "inactive, and content" "$(systemctl show router -p ActiveState,Result | sort | xargs)" \
	"ActiveState=inactive Result=success"
check_not "no program is left on lan0" has_xdp lan0
check_not "no program is left on wan0" has_xdp wan0
check "no run directory is left" test ! -e /run/router

# ---- one a namespace
ip netns add blue
ip -n blue link set lo up
hosts blue lan0 wan0 ip -n blue
configure /etc/router/blue.yaml lan0 wan0
check "router@blue starts" systemctl start router@blue
check "it forwards in its namespace" pings blue
check_not "the host's own ports are left alone" has_xdp lan0
check "routerctl -R reaches it" routerctl -R /run/router-blue show status
check "it reloads" systemctl reload router@blue
check "both run side by side" systemctl start router
check "the host's forwards" pings ''
check "blue's forwards" pings blue
check "they stop" systemctl stop router router@blue
is "nothing failed on the way" "$(systemctl --failed --no-legend)" ""
finish
