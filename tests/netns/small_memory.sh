#!/bin/bash
# tests/netns/small_memory.sh: fewer frames than ports and workers may use at once, and one queue
# for two workers: what one worker has cached must not leave the other's queue dry for ever.
. "$(dirname "$0")/../lib.sh"
topo_three 1
router_start - <<- 'END'
	version: 1
	router:
	  workers: { count: 2 }
	  memory: { frames: 2048 }
	  xdp: { ring-size: 1024 }
	interfaces: { lan0: {}, wan0: {} }
END
sees()
{
	ns a ping -q -c 1 -W 1 "$1"
}
check "the log says that memory is short" grep -q "memory.frames: 2048 are fewer" "$(lib_log)"
check "a packet gets through" eventually 3 sees 10.0.2.2
check "a flood both ways" sh -c 'nsenter --net=/run/netns/a ping -q -f -c 5000 -s 1000 10.0.2.2 > /dev/null &
	nsenter --net=/run/netns/b ping -q -f -c 5000 -s 1000 10.0.1.2 > /dev/null; wait'
for host in 10.0.2.2 2001:db8:2::2; do
	check "then a packet to $host still gets through" eventually 3 sees $host
done
check_conservation

# ---- a port that comes when all is taken says so, and opens when frames are free again
veth r dmz0 b b1
before=$(ctl_json '[r for r in d if r["name"] == "lan0"][0]["state"]' show interfaces)
is "lan0 is up" "$before" up
cat > "$CONF" <<- 'END'
	version: 1
	router:
	  workers: { count: 2 }
	  memory: { frames: 2048 }
	  xdp: { ring-size: 1024 }
	interfaces: { lan0: {}, wan0: {}, dmz0: {} }
END
check "a third port is taken into the file" ctl reload --wait
third()
{
	[ "$(show_if dmz0 state)" = "$1" ]
}
note "dmz0: $(show_if dmz0 state): $(show_if dmz0 why)"
sed -i 's/wan0: {}, //' "$CONF"
check "another leaves it" ctl reload --wait
check "and the third opens with its frames" eventually 5 third up
check_conservation
finish
