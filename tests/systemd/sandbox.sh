#!/bin/bash
# tests/systemd/sandbox.sh: the units' sandbox allows what a router does, and not much more. In the
# daemon's place, a probe runs there: tests/systemd/probe.py says "yes" or "no" to each question.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../tap.sh"
if [ -z "${BOOTED:-}" ]; then
	root=$(mktemp -d)
	trap 'rm -rf "$root"' EXIT
	mkdir -p "$root"/usr/lib/{systemd/system,sysusers.d} "$root/usr/sbin" "$root/etc/router"
	cp "$here"/../../systemd/*.service "$root/usr/lib/systemd/system/"
	cp "$here/../../systemd/router.sysusers" "$root/usr/lib/sysusers.d/router.conf"
	install -m755 "$here/probe.py" "$root/usr/sbin/router"
	install -m640 /dev/null "$root/etc/router/router.yaml"
	install -m640 /dev/null "$root/etc/router/blue.yaml"
	# The smallest XDP program: r0 = XDP_PASS; exit.
	clang -O2 -g -target bpf -I"/usr/include/$(cc -print-multiarch)" -c -o "$root/usr/sbin/pass.o" -x c - <<-'C' ||
	#include <linux/bpf.h>
	__attribute__((section("xdp"), used)) int pass(struct xdp_md *ctx) { return XDP_PASS; }
	C
		skip_all "no clang for BPF here"
	"$here/boot" -i "$root" "$0"
	exit
fi

T=/run/test
mkdir -p $T /run/netns
systemd-sysusers
ip netns add blue
install -m600 -o nobody /dev/null /run/private-of-nobody
ip link add host0 type veth peer name host1
ip -n blue link add host0 type veth peer name host1

# answers UNIT: starts it with the probe as a daemon that is ready, and leaves what it said.
answers()
{
	systemctl start "$1" > $T/start 2>&1
	journalctl --sync
	journalctl -u "$1" -o cat --no-pager > $T/answers
	is "$1 starts, and gets ready" "$(systemctl is-active "$1")" active || cat $T/start $T/answers
}

said()
{
	is "$unit: $2" "$(sed -n "s/^$1: //p" $T/answers)" "$3"
}

for unit in router router@blue; do
	answers $unit
	said xdp-socket "may open AF_XDP sockets" yes
	said netlink "may open netlink sockets" yes
	said load-and-pin "may load a program and pin it in its folder" yes
	said attach "may attach it to a port" yes
	said memfd "may make a memory of huge pages" yes
	said lock "may lock memory" yes
	said affinity "may pin its threads" yes
	said run-directory "may write in its run directory" yes
	said config "may read its configuration" yes
	said ip-forward "may read Linux's settings" yes
	said sock-diag "may ask for the ports of Linux's sockets" yes
	said nftables "may load rules into nftables" yes
	said reserve-ports "may reserve ports" yes
	said group "what it makes belongs to the group router" yes
	said inet-socket "may not talk to the network" no
	said packet-socket "may not open packet sockets" no
	said settings "may not change Linux's settings" no
	said other-pins "may not write beside its pins" no
	said etc "may not write in /etc" no
	said mount "may not mount" no
	said namespace "may not make namespaces" no
	said other-files "may not read files that are not root's" no
	said exec-memory "may not have memory that is writable and executable" no
	systemctl stop $unit
	is "$unit stops" "$(systemctl show $unit -p ActiveState,Result | sort | xargs)" "ActiveState=inactive Result=success"
done
is "router reserved ports of its namespace" "$(sysctl -n net.ipv4.ip_local_reserved_ports)" 40000-40010
is "router@blue reserved ports of its own" "$(ip netns exec blue sysctl -n net.ipv4.ip_local_reserved_ports)" 50000-50010
is "nothing failed on the way" "$(systemctl --failed --no-legend)" ""
finish
