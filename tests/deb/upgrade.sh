#!/bin/bash
# tests/deb/upgrade.sh: the package under a real systemd: installed, nothing runs; upgraded, what runs is
# restarted, unless the new program refuses its configuration; removed, it is gone.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../tap.sh"
top=$here/../..
if [ -z "${BOOTED:-}" ]; then
	set -- "$top"/build/deb/router_*.deb
	[ -e "$1" ] || "$top/debian/build" "$top/build/deb" > /dev/null || exit
	"$here/../systemd/boot" -t 200 "$0"
	exit
fi

T=/run/test
mkdir -p $T /run/netns
rm -f /usr/sbin/policy-rc.d # a container's: it would keep services from being restarted
trap '[ "$tap_failed" = 0 ] || journalctl -u "router*" -o short-monotonic --no-pager -n 40 | sed "s/^/# /"' EXIT

# newer VERSION: the same package as $T/VERSION.deb
newer()
{
	dpkg-deb -R "$deb" "$T/tree" &&
		sed -i "s/^Version: .*/Version: $1/" "$T/tree/DEBIAN/control" &&
		dpkg-deb -b -Znone "$T/tree" "$T/$1.deb" > /dev/null && rm -rf "$T/tree"
}

install_deb()
{
	DEBIAN_FRONTEND=noninteractive dpkg --force-confold -i "$1" 2>&1 | tee "$T/said"
	return "${PIPESTATUS[0]}"
}

pid_of()
{
	systemctl show "$1" -p MainPID --value
}

deb=$(echo "$top"/build/deb/router_*.deb)
newer 99.1 && newer 99.2 && newer 99.3
ip netns add blue
for p in "ip" "ip -n blue"; do
	$p link add lan0 type veth peer name lan1
	$p link set lan0 up
done

# host a -- lan0 [here] wan0 -- host b
ip netns add a && ip netns add b
ip link set lan1 netns a name a0 && ip link add wan0 type veth peer name b0 netns b
ip addr add 10.0.1.1/24 dev lan0 && ip addr add 10.0.2.1/24 dev wan0 && ip link set wan0 up
ip -n a addr add 10.0.1.2/24 dev a0 && ip -n a link set a0 up && ip -n a route add default via 10.0.1.1
ip -n b addr add 10.0.2.2/24 dev b0 && ip -n b link set b0 up && ip -n b route add default via 10.0.2.1

# ---- the first installation
check "it installs" install_deb "$deb"
is "nothing is enabled" "$(systemctl is-enabled router)" disabled
is "nothing runs" "$(systemctl is-active router)" inactive
check "the group is there" getent group router
check "it starts as it was installed, without an interface" systemctl start router
systemctl stop router

# ---- an upgrade
printf 'version: 1\ninterfaces: {lan0: {}}\n' > /etc/router/blue.yaml
printf 'version: 1\ninterfaces: {lan0: {}, wan0: {}}\n' > /etc/router/router.yaml
check "two routers start" systemctl start router router@blue
pid=$(pid_of router) blue=$(pid_of router@blue)
ip netns exec a ping -q -i 0.01 -w 60 10.0.2.2 > $T/ping &
ping=$!
check "a newer version installs" install_deb $T/99.1.deb
sleep 1
kill -INT $ping
wait $ping
check "and no packet is lost" grep -E '^([0-9]+) packets transmitted, \1 received' $T/ping
check "the configuration is the operator's still" grep -q lan0 /etc/router/router.yaml
is "both run" "$(systemctl is-active router router@blue | xargs)" "active active"
check "the host's was restarted" test "$(pid_of router)" != "$pid"
check "the namespace's, too" test "$(pid_of router@blue)" != "$blue"

# ---- an upgrade to a program that refuses the configuration
pid=$(pid_of router) blue=$(pid_of router@blue)
printf 'interfacs: {}\n' >> /etc/router/router.yaml
check "a version that refuses the configuration installs" install_deb $T/99.2.deb
is "the router runs on: the same process" "$(systemctl is-active router) $(pid_of router)" "active $pid"
check "the upgrade says where the file is wrong" grep -q 'router.yaml:3:1' "$T/said"
check "and answers the new routerctl" routerctl show status
check "the other one was restarted" test "$(pid_of router@blue)" != "$blue"
sed -i '$d' /etc/router/router.yaml
check "mended, it is restarted by the next one" install_deb $T/99.3.deb
check "as it should" test "$(pid_of router)" != "$pid"

# ---- away with it
check "it can be removed" dpkg -r router
is "nothing runs any more" "$(pgrep -x router)" ""
check "the configuration is kept" test -e /etc/router/router.yaml
check_not "no program is left on lan0" sh -c 'ip -d link show lan0 | grep xdp'
check "it can be purged" dpkg -P router
check "and the configuration is gone" test ! -e /etc/router/router.yaml
is "nothing failed on the way" "$(systemctl --failed --no-legend)" ""
finish
