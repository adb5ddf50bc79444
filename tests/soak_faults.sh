# shellcheck shell=bash disable=SC2034,SC2154
# tests/soak_faults.sh - what happens to the router in a round of tests/soak, once a call. Source it
# after soak_world.sh.
#
#   fault_NAME for each of $gentle   every packet can be accounted for exactly at the ports
#   fault_NAME for each of $rough    not at the ports, which are down or new; but inside the router
#   router_up                        the one place that starts the daemon, under a service manager
gentle=(features refused addresses routes clients mtu)
rough=(flap delete queues reopen kill)

wrong()
{
	not_ok "round $round (${happened[*]}): $1" "${@:2}"
}

router_up()
{
	KEEPER="$lib_top/tests/tools/keeper.py -d 50 -l $T/starts"
	router_spawn "$T/soak.yaml" && router_wait || wrong "the router starts"
}

# ---- configurations
reload()
{
	ctl reload --wait > "$T/reload" 2>&1 || wrong "a good configuration is taken: $*" "$(cat "$T/reload")"
}

fault_features()
{
	local f on=()
	for f in "${features[@]}"; do
		dice 2
		[ $die = 0 ] || on+=("$f")
	done
	conf_set "${on[@]}"
	reload "${on[*]}"
}

fault_refused()
{
	local bad=('interfaces: {lan0: {mtu: many}}' 'nat: {source: [{name: x, ports: many}]}' 'filter: ['
		'qos: {wan0: {egress: {root: {htb: {default: nobody}}}}}' 'zones: {lan: {interfaces: [nowhere]}}')
	dice ${#bad[@]}
	cp "$CONF" "$T/good.yaml"
	echo "${bad[die]}" > "$T/conf.d/bad.yaml"
	ctl reload --wait > "$T/reload" 2>&1 && wrong "a bad configuration is refused: ${bad[die]}"
	rm "$T/conf.d/bad.yaml"
	reload "what it was"
}

# A port is opened anew with another number of queues, and again.
fault_reopen()
{
	conf_set reopen nat
	reload "reopen"
	sleep 0.5
	conf_set nat filter shape
	reload "no longer"
}

# ---- Linux changes under us
fault_addresses()
{
	dice 3
	local dev=${ports[die]}
	host_addr r "$dev" 10.7.1.1/24 2001:db8:7::1/64
	ip -n r neigh flush dev "$dev"
	ip -n r neigh replace 10.54.0.9 lladdr 02:00:00:00:00:54 dev "$dev"
	sleep 0.3
	ip -n r addr del 10.7.1.1/24 dev "$dev"
	ip -n r addr del 2001:db8:7::1/64 dev "$dev"
	ip -n r neigh del 10.54.0.9 dev "$dev"
}

fault_routes()
{
	local i
	for ((i = 0; i < 500; i++)); do
		echo "route replace 10.50.$((i % 256)).$((i / 256))/32 via 10.0.$((2 + i % 2)).2"
	done > "$T/routes"
	ns r ip -batch "$T/routes"
	ip -n r route replace 10.55.0.0/16 nexthop via 10.0.2.2 nexthop via 10.0.3.2
	ip -n r route replace 10.50.0.0/16 via 10.0.3.2
	sleep 0.3
	sed -i 's/replace/del/; s/ via.*//' "$T/routes"
	ns r ip -batch "$T/routes"
	ip -n r route replace 10.50.0.0/16 via 10.0.2.2
	ip -n r route del 10.55.0.0/16
}

fault_mtu()
{
	local mtu
	dice 3
	far_of "${ports[die]}"
	for mtu in 1280 1400 1700 1500; do
		ip -n r link set "${ports[die]}" mtu $mtu && ip -n "$far_ns" link set "$far_dev" mtu $mtu
		sleep 0.2
	done
}

fault_flap()
{
	dice 3
	local dev=${ports[die]}
	far_of "$dev"
	ip -n r link set "$dev" down
	sleep 0.2
	port_again "$dev"
	sleep 0.2
	ip -n "$far_ns" link set "$far_dev" down
	sleep 0.2
	port_again "$dev"
}

fault_delete()
{
	dice 3
	local dev=${ports[die]}
	ip -n r link del "$dev"
	sleep 0.3
	port_make "$dev" || wrong "$dev is made again"
	storm_stop "$dev"
	storm_start "$dev"
}

# Fewer queues at the far end first: XDP wants no peer that sends on more than it receives.
fault_queues()
{
	dice 3
	local dev=${ports[die]}
	far_of "$dev"
	{
		ns "$far_ns" ethtool -L "$far_dev" rx 1 tx 1
		ns r ethtool -L "$dev" rx 1 tx 1
		sleep 0.5
		ns r ethtool -L "$dev" rx 2 tx 2
		ns "$far_ns" ethtool -L "$far_dev" rx 2 tx 2
	} > "$T/queues" 2>&1
}

running_other()
{
	lib_running && [ "$(router_pid)" != "$1" ]
}

# Mostly the next process goes on with what the keeper has kept; sometimes the keeper dies, too.
fault_kill()
{
	local pid
	kills=$((kills + 1))
	pid=$(router_pid)
	dice 4
	if [ $die = 0 ]; then
		router_kill KILL
		kill -KILL "$pid" 2> "$T/seen"
		sleep 0.3
		router_up
		return
	fi
	kill -KILL "$pid"
	eventually 20 running_other "$pid" > "$T/seen" || wrong "another process goes on"
}

# ---- clients, polite ones and others
rude()
{
	/usr/bin/python3 - "$ROUTER_DIR/router.sock" "$die" <<- 'END'
	import random, socket, sys, time
	random.seed(int(sys.argv[2]))
	def client(data):
	    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
	    s.settimeout(0.5)
	    s.connect(sys.argv[1])
	    try:
	        s.sendall(data)
	    except OSError:     # it was cut off: rightly so
	        pass
	    return s
	kept = [client(b'{"command": "show conntrack"}\n') for _ in range(10)]      # never read it
	kept += [client(b'{"command": "sho') for _ in range(10)]                    # half a request
	kept += [client(random.randbytes(random.randrange(1, 5000))) for _ in range(20)]
	kept += [client(b"") for _ in range(50)]
	time.sleep(0.3)
	END
}

fault_clients()
{
	local words monitor # the leak sanitizer may hang when a signal ends its program
	for words in "monitor conntrack" "monitor qos"; do
		# shellcheck disable=SC2086
		ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 timeout -k 5 1 "$B/routerctl" -R "$ROUTER_DIR" -j $words > "$T/monitor" 2>&1 &
		monitor+=" $!"
	done
	dice 1000
	rude || wrong "rude clients are let in"
	for words in status "interfaces -s" routes neighbours "conntrack -s" "conntrack stats" nat \
		"nat mappings" "nat ports" "filter --expanded" "qos -s" "qos -o tc" workers memory config xdp; do
		# shellcheck disable=SC2086
		ctl -j show $words > "$T/shown" 2>&1 || wrong "show $words" "$(tail -n 3 "$T/shown")"
	done
	ctl flush conntrack dst 10.54.0.1 > "$T/shown" 2>&1 || wrong "flush conntrack" "$(cat "$T/shown")"
	# shellcheck disable=SC2086
	wait $monitor
}
