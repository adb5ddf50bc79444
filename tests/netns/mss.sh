#!/bin/bash
# tests/netns/mss.sh: mss-clamp of interfaces: what TCP of two Linux hosts agrees on, in both directions, with
# and without connection tracking, and that data gets through.
. "$(dirname "$0")/../lib.sh"

cat > "$T/mss.py" << 'EOF'
"""mss serve ADDR... | ask ADDR: a connection, how much either end may send at once, and 200 kB forth and back."""
import socket, sys, threading
MAXSEG = socket.IPPROTO_TCP, 2
def family(a):
	return socket.AF_INET6 if ':' in a else socket.AF_INET
def serve(address):
	s = socket.create_server((address, 7000), family=family(address))
	while True:
		c = s.accept()[0]
		c.sendall(b'%6d' % c.getsockopt(*MAXSEG))
		got = b''
		while len(got) < 200000:
			got += c.recv(65536)
		c.sendall(got)
		c.close()
if sys.argv[1] == 'serve':
	for a in sys.argv[2:]:
		threading.Thread(target=serve, args=[a]).start()
	print('ready', flush=True)
else:
	s = socket.socket(family(sys.argv[2]))
	s.settimeout(5)
	s.connect((sys.argv[2], 7000))
	said, data = s.recv(6), bytes(i * 7 & 255 for i in range(200000))
	segment, got = s.getsockopt(*MAXSEG), b''
	threading.Thread(target=s.sendall, args=[data]).start()
	while len(got) < len(data):
		got += s.recv(65536)
	print(segment, int(said), '' if got == data else 'data differs')
EOF

# conf LAN WAN: what the two interfaces say
conf()
{
	printf 'version: 1\ninterfaces:\n  lan0: {%s}\n  wan0: {%s}\n%s\n' "$1" "$2" "$tracked"
}

# agree WHAT SEGMENT4 SEGMENT6 LAN WAN: what a and b may send to each other
agree()
{
	conf "$4" "$5" > "$CONF"
	ctl reload > "$T/reload" || not_ok "it is loaded" "$(cat "$T/reload")"
	is "IPv4: $1" "$(ns a python3 "$T/mss.py" ask 10.0.2.2)" "$2 $2 "
	is "IPv6: $1" "$(ns a python3 "$T/mss.py" ask 2001:db8:2::2)" "$3 $3 "
}

topo_three
for n in a b; do ns $n sysctl -qw net.ipv4.tcp_timestamps=0; done
ns_bg b python3 "$T/mss.py" serve 10.0.2.2 2001:db8:2::2 > "$T/serve" 2>&1
tracked=
router_start - < <(conf '' '')
check "it forwards" eventually 5 ns a ping -q -c 1 -W 1 10.0.2.2
check "IPv6 too" eventually 5 ns a ping -q -c 1 -W 1 2001:db8:2::2
check "the server is ready" eventually 5 grep -q ready "$T/serve"
agree "off" 1460 1440 '' ''
agree "on the way in" 1200 1200 'mss-clamp: 1200' ''
agree "on the way out" 1200 1200 '' 'mss-clamp: 1200'
agree "both: the lower" 1100 1100 'mss-clamp: 1100' 'mss-clamp: 1200'
agree "what is lower stays" 1460 1440 'mss-clamp: 9000' 'mss-clamp: pmtu'
agree "IPv4 lower, IPv6 is" 1450 1440 'mss-clamp: 1450' ''
agree "pmtu, the link's own" 1360 1340 'mss-clamp: pmtu, mtu: 1400' ''
agree "pmtu, the other link's" 1360 1340 'mss-clamp: pmtu, mtu: 1500' 'mtu: 1400'
agree "pmtu on the way out" 1360 1340 '' 'mss-clamp: pmtu'
agree "pmtu of 1500 again" 1460 1440 '' 'mss-clamp: pmtu, mtu: 1500'
tracked='conntrack: {profile: linux}'
agree "with connection tracking: on the way in" 1200 1200 'mss-clamp: 1200' ''
agree "with connection tracking: on the way out" 1210 1210 '' 'mss-clamp: 1210'
is "nobody had to be told to send less" "$(drops too-big)" 0
check_conservation
finish
