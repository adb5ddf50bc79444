#!/bin/bash
# tests/netns/tcp.sh: bulk traffic of Linux hosts over veth as it comes, unfinished checksums and
# all: iperf3 both ways, TCP in a tunnel, and a large file by HTTP that arrives as it was.
. "$(dirname "$0")/../lib.sh"

mib=1024
case $B in *san-*) mib=128 ;; esac

# measure NAME ARGS...: one iperf3 run from a to b into $T/NAME.json.
measure()
{
	local name=$1
	shift
	ns a timeout 20 iperf3 -J -t 1 "$@" > "$T/$name.json" || { cat "$T/$name.json"; return 1; }
}

tcp()
{
	measure "$@" && [ "$(json "$T/$1.json" 'd["end"]["sum_received"]["bytes"] > 1 << 20')" = true ]
}

# At 20 Mbit/s nothing needs to be lost: what iperf3 misses is counted by someone as dropped.
udp()
{
	measure "$@" -u -b 20M -l 1200 || return
	json "$T/$1.json" '"%(packets)d packets, %(lost_packets)d lost" % d["end"]["sum"]'
	[ "$(json "$T/$1.json" 'd["end"]["sum"]["packets"] > 500 and
		d["end"]["sum"]["lost_percent"] < 1')" = true ]
}

# vxlan NS HERE THERE: one end of a tunnel between the hosts
vxlan()
{
	ip -n "$1" link add vx0 type vxlan id 7 local "10.0.$2.2" remote "10.0.$3.2" dstport 4789 &&
		ip -n "$1" addr add "192.168.7.$2/24" dev vx0 && ip -n "$1" link set vx0 up
}

topo_three
router_start
check "it forwards" eventually 5 ns a ping -q -c 1 -W 1 10.0.2.2
check "IPv6 too" eventually 5 ns a ping -q -c 1 -W 1 2001:db8:2::2
check "the hosts leave checksums to the device" sh -c \
	'nsenter --net=/run/netns/a ethtool -k a0 | grep "^tx-checksumming: on"'

note "iperf3"
ns_bg b iperf3 -s > "$T/iperf3.log" 2>&1
server=$!
check "its server listens" eventually 5 sh -c \
	'nsenter --net=/run/netns/b ss -Hlnt sport = :5201 | grep .'
for to in 10.0.2.2 2001:db8:2::2; do
	case $to in *:*) v=IPv6 ;; *) v=IPv4 ;; esac
	check "$v: TCP" tcp "$v-tcp" -c $to
	check "$v: TCP the other way" tcp "$v-tcp-R" -c $to -R
	check "$v: UDP" udp "$v-udp" -c $to
	check "$v: UDP the other way" udp "$v-udp-R" -c $to -R
done
# A tunnel leaves the checksums of what is in it to the device, too.
if vxlan a 1 2 && vxlan b 2 1; then
	check "TCP in VXLAN" tcp "VXLAN-tcp" -c 192.168.7.2
else
	skip "TCP in VXLAN" "this kernel has none"
fi
for f in "$T"/*-tcp*.json; do
	note "$(basename "$f" .json):" \
		"$(json "$f" 'd["end"]["sum_received"]["bits_per_second"] // 1000000') Mbit/s"
done
kill $server
check "checksums were completed on the way" [ "$(ctl_json 'sum(r["packets"] for r in d
	if r["reason"] == "csum-completed")' show drops -s)" -gt 1000 ]
is "none arrived wrong at b" "$(ns b nstat -asz TcpInCsumErrors UdpInCsumErrors Udp6InCsumErrors |
	awk 'NR > 1 { s += $2 } END { print s }')" 0
is "none arrived wrong at a" "$(ns a nstat -asz TcpInCsumErrors UdpInCsumErrors Udp6InCsumErrors |
	awk 'NR > 1 { s += $2 } END { print s }')" 0

note "$mib MiB by HTTP"
mkdir "$T/www"
# the same MiB turned by one more byte each time, so that a piece out of place changes the sum
python3 -c 'import random, sys
b = random.Random(1).randbytes(1 << 20)
for i in range(int(sys.argv[1])):
	sys.stdout.buffer.write(b[i:] + b[:i])' $mib > "$T/www/file"
want=$(sha256sum < "$T/www/file")
cat > "$T/nginx.conf" <<-EOF
	daemon off;
	worker_processes 1;
	error_log $T/nginx.log;
	pid $T/nginx.pid;
	events {}
	http {
		access_log off;
		client_body_temp_path $T; proxy_temp_path $T; fastcgi_temp_path $T;
		uwsgi_temp_path $T; scgi_temp_path $T;
		sendfile on;
		server { listen 80; listen [::]:80; root $T/www; }
	}
EOF
ns_bg b nginx -e "$T/nginx.log" -c "$T/nginx.conf"
check "nginx answers" eventually 5 ns a curl -sfI -o /dev/null http://10.0.2.2/file
start=$(date +%s%N)
is "IPv4: the file arrives as it was" "$(ns a curl -sf http://10.0.2.2/file | sha256sum)" "$want"
note "$((($(date +%s%N) - start) / 1000000)) ms"
head -c 64M "$T/www/file" > "$T/www/part"
is "IPv6: 64 MiB of it" "$(ns a curl -sf 'http://[2001:db8:2::2]/part' | sha256sum)" \
	"$(sha256sum < "$T/www/part")"
check_conservation
finish
