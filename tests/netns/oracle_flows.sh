#!/bin/bash
# tests/netns/oracle_flows.sh: the kernel as oracle. The same packets, proper and improper, go through a Linux
# router with nftables and through ours with the equivalent configuration; whatever leaves, and the
# table of flows afterwards, must be the same but for what tests/tools/oracle/differences.py lists.
# ORACLE_PACKETS: so many for each policy; ORACLE_SEED: others than last time; ORACLE_ONLY: these policies.
. "$(dirname "$0")/../lib.sh"
command -v nft > "$T/seen" && command -v conntrack > "$T/seen" || skip_all "no nft or no conntrack here"
packets=${ORACLE_PACKETS:-4000}
seed=${ORACLE_SEED:-1}
oracle=$lib_top/tests/tools/oracle/oracle.py

# ---- two routers, k and r, whose cables end here
sysctl -qw net.ipv6.conf.default.disable_ipv6=1
ns_add k r
cable() # NS DEV HERE MAC
{
	ip link add "$3" numrxqueues 1 numtxqueues 1 type veth \
		peer name "$2" address "$4" numrxqueues 1 numtxqueues 1 netns "$1" || return
	ip link set "$3" up && ip -n "$1" link set "$2" up && ethtool -K "$3" tx off > "$T/seen" &&
		ns "$1" ethtool -K "$2" tx off > "$T/seen"
}
for n in k r; do
	cable $n lan0 $n-lan 02:00:00:00:01:01
	cable $n wan0 $n-wan 02:00:00:00:02:01
	host_addr $n lan0 10.0.1.1/24 2001:db8:a1::1/64
	host_addr $n wan0 10.0.2.1/24 2001:db8:a2::1/64
	ip -n $n neigh add 10.0.1.2 lladdr 02:00:00:00:01:02 nud permanent dev lan0
	ip -n $n neigh add 10.0.2.2 lladdr 02:00:00:00:02:02 nud permanent dev wan0
	ip -n $n neigh add 2001:db8:a1::2 lladdr 02:00:00:00:01:02 nud permanent dev lan0
	ip -n $n neigh add 2001:db8:a2::2 lladdr 02:00:00:00:02:02 nud permanent dev wan0
	ip -n $n route add 10.1.0.0/16 via 10.0.1.2
	ip -n $n route add 10.2.0.0/16 via 10.0.2.2
	ip -n $n route add 2001:db8:1::/48 via 2001:db8:a1::2
	ip -n $n route add 2001:db8:2::/48 via 2001:db8:a2::2
	ns $n sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0 net.ipv4.conf.all.rp_filter=0 \
		net.ipv4.conf.{all,default,lan0,wan0}.send_redirects=0 net.ipv4.icmp_msgs_per_sec=1000000 \
		net.ipv6.auto_flowlabels=0
done
ns k sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.netfilter.nf_conntrack_acct=0

# policy NAME: makes both routers follow $T/NAME.nft and $T/NAME.yaml.
yaml_head='version: 1
router: {workers: {count: 1}}
interfaces:
  lan0: {}
  wan0: {}
'
router_start - <<< "$yaml_head"
policy()
{
	ns k conntrack -F > "$T/seen" 2>&1
	ns k nft flush ruleset
	ns k nft -f "$T/$1.nft" || return
	{ echo "$yaml_head"; cat "$T/$1.yaml"; } > "$CONF"
	ctl reload --wait && ctl flush conntrack
}

# compare NAME [ARG...]
compare()
{
	local name=$1
	shift
	case " ${ORACLE_ONLY:-$name} " in *" $name "*) ;; *) return ;; esac
	check "$name: both take the policy" policy "$name" || return
	if python3 "$oracle" --policy "$name" --routerctl "$B/routerctl" --count "$packets" --seed "$seed" --own 10.0.1.1 --own 10.0.2.1 --own 2001:db8:a1::1 \
		--own 2001:db8:a2::1 "$@" > "$T/$name.out" 2>&1; then
		ok "$name: the routers agree"
	else
		not_ok "$name: the routers agree"
	fi
	sed 's/^/# /' "$T/$name.out"
}

# The state of each packet is written into it: what a router thinks is seen from outside.
state_nft()
{
	cat << 'END'
table inet t {
	chain raw { type filter hook prerouting priority raw; udp dport 9 notrack; }
	chain forward {
		type filter hook forward priority filter;
END
	local i=0 s
	for s in new established related invalid untracked; do
		i=$((i + 1))
		echo "ct state $s ip dscp set $i"
		echo "ct state $s ip6 dscp set $i"
	done
	printf '}\n}\n'
}
fence='raw: {hook: prerouting, priority: raw, rules: [{name: fence, proto: udp, dport: 9, action: notrack}]}'
state_yaml()
{
	cat << END
conntrack: {profile: linux, max: 100000$1}
filter:
  $fence
  forward:
    hook: forward
    priority: filter
    rules:
      - {name: new, ct: new, action: {set-dscp: 1}}
      - {name: est, ct: established, action: {set-dscp: 2}}
      - {name: rel, ct: related, action: {set-dscp: 3}}
      - {name: inv, ct: invalid, action: {set-dscp: 4}}
      - {name: unt, ct: untracked, action: {set-dscp: 5}}
END
}
state_nft > "$T/track.nft"
state_yaml "" > "$T/track.yaml"
compare track --slowly

note "connections must begin with a SYN"
state_nft > "$T/strict.nft"
state_yaml ", tcp-loose: false" > "$T/strict.yaml"
ns k sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0
compare strict --not-hand "middle of a connection"
ns k sysctl -qw net.netfilter.nf_conntrack_tcp_loose=1

note "windows are not looked at"
state_nft > "$T/liberal.nft"
state_yaml ", tcp-liberal: true" > "$T/liberal.yaml"
ns k sysctl -qw net.netfilter.nf_conntrack_tcp_be_liberal=1
compare liberal --not-hand "resets beside the mark"
ns k sysctl -qw net.netfilter.nf_conntrack_tcp_be_liberal=0

note "checksums are not looked at"
state_nft > "$T/unsummed.nft"
state_yaml ", checksum: false" > "$T/unsummed.yaml"
ns k sysctl -qw net.netfilter.nf_conntrack_checksum=0
compare unsummed
ns k sysctl -qw net.netfilter.nf_conntrack_checksum=1

note "a firewall: rules by state, refusals of all kinds, sets, marks, jumps"
cat > "$T/firewall.nft" << 'END'
table inet t {
	set web { type inet_service; elements = { 80, 443 }; }
	set banned4 { type ipv4_addr; flags interval; elements = { 10.1.7.0/24, 10.2.9.0-10.2.15.255 }; }
	set banned6 { type ipv6_addr; flags interval; elements = { 2001:db8:1:0:8000::/66 }; }
	chain raw {
		type filter hook prerouting priority raw;
		udp dport 9 notrack
		udp dport 33434 notrack
		ip saddr @banned4 drop
		ip6 saddr @banned6 drop
	}
	chain marks {
		type filter hook prerouting priority mangle;
		ip dscp 46 meta mark set 0x20
		ip6 dscp 46 meta mark set 0x20
		ct state new tcp dport 8080 meta mark set 7
		ct state new ct mark set meta mark
	}
	chain mails { tcp sport 10000-20000 return; reject with icmpx type admin-prohibited; }
	chain forward {
		type filter hook forward priority filter; policy drop;
		udp dport 9 accept
		ct state established,related accept
		ct state invalid drop
		ct state untracked accept
		meta mark 0x20 accept
		iifname "wan0" tcp dport @web accept
		iifname "wan0" tcp dport 22 reject with tcp reset
		iifname "wan0" tcp dport 7 reject with icmpx type port-unreachable
		iifname "wan0" udp dport 53 reject
		iifname "wan0" udp dport 6000-6050 reject with icmpx type host-unreachable
		iifname "wan0" icmp type echo-request accept
		iifname "wan0" icmpv6 type echo-request accept
		iifname "lan0" tcp dport 7 jump mails
		iifname "lan0" ip protocol 47 reject with icmpx type no-route
		iifname "lan0" udp dport 7 drop
		iifname "lan0" accept
	}
}
END
cat > "$T/firewall.yaml" << 'END'
conntrack: {profile: linux, max: 100000}
sets:
  web: {type: port, elements: [80, 443]}
  banned: {type: prefix, elements: [10.1.7.0/24, 10.2.9.0-10.2.15.255, "2001:db8:1:0:8000::/66"]}
filter:
  raw:
    hook: prerouting
    priority: raw
    rules:
      - {name: fence, proto: udp, dport: 9, action: notrack}
      - {name: trace, proto: udp, dport: 33434, action: notrack}
      - {name: bans, from: "@banned", action: drop}
  mark:
    hook: prerouting
    priority: mangle
    rules:
      - {name: voice, dscp: ef, action: {set-mark: 0x20}}
      - {name: proxy, ct: new, proto: tcp, dport: 8080, action: {set-mark: 7}}
      - {name: keep, ct: new, action: save-mark}
  mails:
    rules:
      - {name: some, proto: tcp, sport: 10000-20000, action: return}
      - {name: rest, action: {reject: admin-prohibited}}
  forward:
    hook: forward
    priority: filter
    policy: drop
    rules:
      - {name: fence, proto: udp, dport: 9, action: accept}
      - {name: est, ct: [established, related], action: accept}
      - {name: inv, ct: invalid, action: drop}
      - {name: unt, ct: untracked, action: accept}
      - {name: voice, mark: 0x20, action: accept}
      - {name: web, in: wan0, proto: tcp, dport: "@web", action: accept}
      - {name: ssh, in: wan0, proto: tcp, dport: 22, action: {reject: tcp-reset}}
      - {name: echo, in: wan0, proto: tcp, dport: 7, action: {reject: port-unreachable}}
      - {name: dns, in: wan0, proto: udp, dport: 53, action: reject}
      - {name: x11, in: wan0, proto: udp, dport: 6000-6050, action: {reject: host-unreachable}}
      - {name: ping, in: wan0, icmp: echo-request, action: accept}
      - {name: ping6, in: wan0, icmpv6: {type: 128}, action: accept}
      - {name: mails, in: lan0, proto: tcp, dport: 7, action: {jump: mails}}
      - {name: gre, in: lan0, family: ipv4, proto: 47, action: {reject: net-unreachable}}
      - {name: udp7, in: lan0, proto: udp, dport: 7, action: drop}
      - {name: all, in: lan0, action: accept}
END
compare firewall --outbound

note "the LAN behind addresses that are not the router's"
cat > "$T/snat.nft" << 'END'
table inet t {
	chain raw { type filter hook prerouting priority raw; udp dport 9 notrack; }
	chain forward { type filter hook forward priority filter; ct state invalid drop; }
	chain post {
		type nat hook postrouting priority srcnat;
		oifname "wan0" ip saddr 10.1.0.0/16 meta l4proto { tcp, udp } snat ip to 10.2.250.1:1024-65535
		oifname "wan0" ip6 saddr 2001:db8:1::/48 meta l4proto { tcp, udp } snat ip6 to [2001:db8:2::250:1]:1024-65535
		oifname "wan0" ip saddr 10.1.0.0/16 snat ip to 10.2.250.1
		oifname "wan0" ip6 saddr 2001:db8:1::/48 snat ip6 to 2001:db8:2::250:1
	}
}
END
cat > "$T/snat.yaml" << END
conntrack: {profile: linux, max: 100000}
filter:
  $fence
  forward: {hook: forward, priority: filter, rules: [{name: inv, ct: invalid, action: drop}]}
nat:
  source:
    - {name: out4, from: 10.1.0.0/16, out: wan0, pool: 10.2.250.1, ports: 1024-65535}
    - {name: out6, from: "2001:db8:1::/48", out: wan0, pool: "2001:db8:2::250:1", ports: 1024-65535}
END
compare snat --outbound --own 10.2.250.1 --own 2001:db8:2::250:1

note "services of the LAN behind the router's addresses"
cat > "$T/dnat.nft" << 'END'
table inet t {
	chain raw { type filter hook prerouting priority raw; udp dport 9 notrack; }
	chain forward { type filter hook forward priority filter; ct state invalid drop; ct status dnat accept; }
	chain pre {
		type nat hook prerouting priority dstnat;
		iifname "wan0" ip daddr 10.0.2.1 tcp dport { 80, 443 } dnat ip to 10.1.0.10
		iifname "wan0" ip daddr 10.0.2.1 tcp dport 8080 dnat ip to 10.1.0.11:80
		iifname "wan0" ip daddr 10.0.2.1 udp dport 53 dnat ip to 10.1.0.12:5353
		iifname "wan0" ip daddr 10.2.251.1 dnat ip to 10.1.0.25
		iifname "wan0" ip6 daddr 2001:db8:a2::1 tcp dport 80 dnat ip6 to 2001:db8:1::10
		iifname "wan0" ip6 daddr 2001:db8:a2::1 udp dport 53 dnat ip6 to [2001:db8:1::12]:5353
	}
	chain post {
		type nat hook postrouting priority srcnat;
		oifname "wan0" ip saddr 10.1.0.25 snat ip to 10.2.251.1
		oifname "wan0" ip saddr 10.1.0.0/16 meta l4proto { tcp, udp } masquerade to :10000-32767
		oifname "wan0" ip6 saddr 2001:db8:1::/48 meta l4proto { tcp, udp } masquerade to :10000-32767
		oifname "wan0" ip saddr 10.1.0.0/16 masquerade
		oifname "wan0" ip6 saddr 2001:db8:1::/48 masquerade
	}
}
END
cat > "$T/dnat.yaml" << END
conntrack: {profile: linux, max: 100000}
filter:
  $fence
  forward:
    hook: forward
    priority: filter
    rules:
      - {name: inv, ct: invalid, action: drop}
      - {name: forwarded, status: dnat, action: accept}
nat:
  source:
    - {name: out, from: [10.1.0.0/16, "2001:db8:1::/48"], out: wan0, action: masquerade, ports: 10000-32767}
  destination:
    - {name: www, in: wan0, address: 10.0.2.1, proto: tcp, dport: [80, 443], to: 10.1.0.10}
    - {name: proxy, in: wan0, address: 10.0.2.1, proto: tcp, dport: 8080, to: 10.1.0.11, to-port: 80}
    - {name: dns, in: wan0, address: 10.0.2.1, proto: udp, dport: 53, to: 10.1.0.12, to-port: 5353}
    - {name: www6, in: wan0, address: "2001:db8:a2::1", proto: tcp, dport: 80, to: "2001:db8:1::10"}
    - {name: dns6, in: wan0, address: "2001:db8:a2::1", proto: udp, dport: 53, to: "2001:db8:1::12", to-port: 5353}
  static:
    - {name: mail, external: 10.2.251.1, internal: 10.1.0.25, in: wan0}
END
compare dnat --outbound --service wan,10.0.2.1,80 --service wan,10.0.2.1,8080 --service wan,10.0.2.1,53 \
	--own 10.2.251.1 --service wan,10.2.251.1,0 --service wan,2001:db8:a2::1,80 --service wan,2001:db8:a2::1,53
check_conservation
finish
