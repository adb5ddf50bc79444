#!/bin/bash
# tests/netns/bridge.sh: a port that is a bridge, with XDP in generic mode: what its hosts' devices
# leave undone, as those of a veth do, is not mentioned by packets that come out of it.
. "$(dirname "$0")/../lib.sh"

# fetch FROM TO ADDR: 100,000 bytes by TCP; no packet need be lost for them.
fetch()
{
	local sender
	ns_bg "$2" timeout 10 python3 -c '
import socket, sys
s, _ = socket.create_server((sys.argv[1], 7000)).accept()
s.sendall(bytes(100000))
s.close()' "$3"
	sender=$!
	eventually 5 sh -c "nsenter --net=/run/netns/$2 ss -Hlnt sport = :7000 | grep ." || return
	[ "$(ns "$1" timeout 5 python3 -c '
import socket, sys
n, s = 0, socket.create_connection((sys.argv[1], 7000), 3)
while (data := s.recv(65536)):
    n += len(data)
print(n)' "$3")" = 100000 ] && wait $sender
}

ns_add a r b && veth a a0 r x0 && veth b b0 r wan0
ip -n r link add lan0 type bridge && ip -n r link set x0 master lan0 && ip -n r link set lan0 up
ip -n r addr add 10.0.1.1/24 dev lan0 && ip -n r addr add 10.0.2.1/24 dev wan0
ip -n a addr add 10.0.1.2/24 dev a0 && ip -n a route add default via 10.0.1.1
ip -n b addr add 10.0.2.2/24 dev b0 && ip -n b route add default via 10.0.2.1
ns a ethtool -K a0 tso off gso off # else packets are longer than a frame
router_start - << 'YAML'
version: 1
interfaces: {lan0: {xdp: {mode: generic}}, wan0: {}}
YAML
check "it forwards" eventually 5 ns a ping -q -c 1 -W 1 10.0.2.2
check "TCP out of the bridge" fetch b a 10.0.1.2
check "TCP into it" fetch a b 10.0.2.2
is "no checksum was left unfinished" "$(for n in a b; do
	ns $n nstat -asz TcpInCsumErrors
done | awk '!/^#/ { s += $2 } END { print s }')" 0
check_conservation
finish
