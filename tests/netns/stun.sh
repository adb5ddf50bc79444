#!/bin/bash
# tests/netns/stun.sh: a STUN server outside tells inside hosts what kind of NAT they are behind (RFC
# 5780): what it says is what the host's rule says, for all mappings and filters. One inside address
# for each, so that all ask at once.
# check: heavy
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../peers.sh"
command -v turnserver > /dev/null || skip_all "no coturn here"

kinds=(eim/eif eim/adf eim/apdf adm/eif adm/adf adm/apdf apdm/apdf) # of an apdm port only one may know
config()
{
	local n=10 k
	cat <<- END
	version: 1
	interfaces: {lan0: {}, lan1: {}, wan0: {}}
	nat:
	  source:
	END
	for k in "${kinds[@]}"; do
		echo "    - {from: 10.0.1.$n, out: wan0, action: masquerade, mapping: ${k%/*}, filtering: ${k#*/}}"
		echo "    - {from: \"fd00:1::$n\", out: wan0, action: masquerade, mapping: ${k%/*}, filtering: ${k#*/}}"
		n=$((n + 1))
	done
}

discover() # NAME FROM TO: into files, in the background
{
	local option
	for option in -m -f -H; do
		ns a turnutils_natdiscovery $option -L "$2" "$3" > "$T/$1$option" 2>&1 &
		asking+=($!)
	done
}

# told NAME OPTION: what it came to
told()
{
	sed -n 's/^NAT with \(.*\)!$/\1/p; s/^No NAT.*/&/p' "$T/$1$2" | tail -n 1
}

# hairpinned NAME: a packet of the host to its own outside address came in
hairpinned()
{
	grep "maybe a successful hairpinning" "$T/$1-H"
}

declare -A words=([eim]="Endpoint Independent Mapping" [adm]="Address Dependent Mapping"
	[apdm]="Address and Port Dependent Mapping" [eif]="Endpoint Independent Filtering"
	[adf]="Address Dependent Filtering" [apdf]="Address and Port Dependent Filtering")
nat_topo
for ((n = 10; n < 10 + ${#kinds[@]}; n++)); do host_addr a a0 10.0.1.$n/24 fd00:1::$n/64; done
config > "$T/first.yaml"
router_start "$T/first.yaml"
check "it forwards" eventually 5 ns a ping -q -c 1 -W 1 -I 10.0.1.10 198.51.100.2
check "IPv6 too" eventually 5 ns a ping -q -c 1 -W 1 -I fd00:1::10 2001:db8:b::2
ns_bg b turnserver -n -L 198.51.100.2 -L 198.51.100.3 -L 2001:db8:b::2 -L 2001:db8:b::3 --stun-only \
	--no-tls --no-dtls --no-cli --log-file "$T/turn.log" --simple-log --pidfile "$T/turn.pid" \
	> "$T/turn.out" 2>&1
server=$!
check "the STUN server answers" eventually 5 ns a turnutils_natdiscovery -m -L 10.0.1.10 198.51.100.2

asking=()
for ((n = 0; n < ${#kinds[@]}; n++)); do
	discover IPv4.$n 10.0.1.$((n + 10)) 198.51.100.2
	discover IPv6.$n fd00:1::$((n + 10)) 2001:db8:b::2
done
wait "${asking[@]}"
for ((n = 0; n < ${#kinds[@]}; n++)); do
	mapping=${kinds[n]%/*} filtering=${kinds[n]#*/}
	for v in IPv4 IPv6; do
		is "$v, ${kinds[n]}: the server finds that mapping" "$(told $v.$n -m)" "${words[$mapping]}"
		is "$v, ${kinds[n]}: and that filter" "$(told $v.$n -f)" "${words[$filtering]}"
		if [ $filtering = eif ]; then
			check "$v, ${kinds[n]}: hairpins work" hairpinned $v.$n
		else
			check_not "$v, ${kinds[n]}: hairpins are filtered like all others" hairpinned $v.$n
		fi
	done
done
kill $server
check_conservation
finish
