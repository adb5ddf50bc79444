#!/bin/bash
# tests/vm/vrf.sh: what only a kernel with VRF and VLAN devices shows. Two customers with the same addresses,
# each in a VRF of the file, with and without connection tracking; VLANs of one port; and both together.
. "$(dirname "$0")/lib" -n virtio -k 6.12
nsenter --net="/proc/self/fd/$VM_NET" modprobe -a vrf 8021q || skip_all "this kernel has no VRF and VLAN devices"

# customer NAME: hosts NAME-a and NAME-b at ports NAME0 and NAME1 of r; all customers have the same addresses.
customer()
{
	ns_add "$1-a" "$1-b" && veth r "${1}0" "$1-a" a0 && veth r "${1}1" "$1-b" b0 || return
	host_addr "$1-a" a0 10.0.1.2/24 2001:db8:1::2/64 && host_addr "$1-b" b0 10.0.2.2/24 2001:db8:2::2/64
	ip -n "$1-a" route add default via 10.0.1.1 && ip -n "$1-a" -6 route add default via 2001:db8:1::1
	ip -n "$1-b" route add default via 10.0.2.1 && ip -n "$1-b" -6 route add default via 2001:db8:2::1
}

# echoes NS: so many requests came to it.
echoes()
{
	ns "$1" awk '$1 == "Icmp:" && $9 ~ /[0-9]/ { n += $9 } END { print n + 0 }' /proc/net/snmp
}

# talks CUSTOMER: a reaches b of its own, by both families.
talks()
{
	check "$1: IPv4" eventually 10 ns "$1-a" ping -q -c 1 -W 1 10.0.2.2
	check "$1: IPv6" eventually 10 ns "$1-a" ping -q -c 1 -W 1 2001:db8:2::2
	check "$1: its end of the router, by Linux" ns "$1-a" ping -q -c 1 -W 1 10.0.1.1
}

ns_add r
customer red && customer blue && ns_add plain && veth r up0 plain p0 && host_addr plain p0 10.0.9.2/24 ||
	skip_all "cannot make the namespaces"
ip -n plain route add default via 10.0.9.1

domains='version: 1
vrfs: {red: {table: 101}, blue: {table: 102}}
interfaces:
  red0: {vrf: red, addresses: [10.0.1.1/24, "2001:db8:1::1/64"]}
  red1: {vrf: red, addresses: [10.0.2.1/24, "2001:db8:2::1/64"]}
  blue0: {vrf: blue, addresses: [10.0.1.1/24, "2001:db8:1::1/64"]}
  blue1: {vrf: blue, addresses: [10.0.2.1/24, "2001:db8:2::1/64"]}
  up0: {addresses: [10.0.9.1/24]}
'
router_start - <<< "$domains"
check "Linux has the VRFs" eventually 5 sh -c 'ip -n r -d link show red | grep "vrf table 101"'
check "and the ports are in them" sh -c 'ip -n r link show blue1 | grep "master blue"'
talks red
talks blue
before=$(echoes blue-b)
check "twenty of red's" ns red-a ping -q -c 20 -i 0.02 -W 1 10.0.2.2
is "none of them came to blue" "$(echoes blue-b)" "$before"
check_not "who is in no VRF reaches neither" ns plain ping -q -c 2 -i 0.3 -W 1 10.0.2.2
for t in 101 102; do
	check "show routes has table $t" sh -c "'$B/routerctl' show routes table $t | grep 10.0.2.0/24"
done

# ---- the same five numbers twice
printf '%s' "$domains" > "$CONF"
echo 'conntrack: {}' >> "$CONF"
check "with connection tracking" ctl reload --wait
talks red
talks blue
cat > "$T/udp.py" << 'END'
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if sys.argv[1:]:
    s.bind(("", 9))
    while True:
        s.sendto(sys.argv[1].encode(), s.recvfrom(99)[1])
s.bind(("", 5000))
s.settimeout(5)
s.sendto(b"who?", ("10.0.2.2", 9))
print(s.recv(99).decode())
END
for c in red blue; do
	ns_bg $c-b python3 "$T/udp.py" $c > "$T/seen" 2>&1
done
sleep 1
for c in red blue; do
	is "$c: one port, one address, its own host answers" \
		"$(ns $c-a python3 "$T/udp.py" 2>&1)" "$c"
done
is "they are flows of two zones" \
	"$(ctl_json 'len({f["zone"] for f in d if f["orig"]["dport"] == 9})' show conntrack)" 2

# ---- VLANs of a port
# A veth carries tags beside the frame, where XDP sees none, unless the sender is told to write them.
ns_add vlans && veth r trunk vlans t0 && ns vlans ethtool -K t0 txvlan off || skip_all "no trunk"
for v in 10 20; do
	ip -n r link add link trunk name trunk.$v type vlan id $v && ip -n r link set trunk.$v up
	ip netns add host$v && ip -n vlans link add link t0 name t0.$v type vlan id $v &&
		ip -n vlans link set t0.$v netns host$v && ip -n host$v link set t0.$v up
	host_addr r trunk.$v 10.0.1$v.1/24 2001:db8:1$v::1/64 && host_addr host$v t0.$v 10.0.1$v.2/24 2001:db8:1$v::2/64
	ip -n host$v route add default via 10.0.1$v.1 && ip -n host$v -6 route add default via 2001:db8:1$v::1
done
{ printf '%s' "$domains"; echo '  trunk: {}'; } > "$CONF"
check "a trunk" ctl reload --wait
check "from one VLAN to the other" eventually 10 ns host10 ping -q -c 1 -W 1 10.0.120.2
check "IPv6, too" eventually 10 ns host10 ping -q -c 1 -W 1 2001:db8:120::2
check "and to who is untagged" eventually 10 ns host20 ping -q -c 1 -W 1 10.0.9.2
ip -n r link set trunk.20 master red
host_addr r trunk.20 2001:db8:120::1/64
check_not "a VLAN in a VRF is of it alone" ns host10 ping -q -c 2 -i 0.3 -W 1 10.0.120.2
check "where red is" eventually 10 ns red-a ping -q -c 1 -W 1 10.0.120.2

# ---- and gone
printf 'version: 1\ninterfaces: {up0: {}, red0: {}}\n' > "$CONF"
check "a file without VRFs" ctl reload --wait
check_not "takes them away" ip -n r link show blue
check_conservation
finish
