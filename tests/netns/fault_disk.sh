#!/bin/bash
# tests/netns/fault_disk.sh: no space left on the disk of the log, nor on that of the run directory:
# the log is lost and nothing else; without a place for its sockets a router does not start, says
# why, and leaves nothing behind. (design 10: disk full)
. "$(dirname "$0")/../load.sh"

ctl() # that gives up: who cannot log may hang
{
	timeout 10 "$B/routerctl" -R "$ROUTER_DIR" "$@"
}

# ---- each line of the log fails
topo_three
log=$(lib_log)
ln -s /dev/full "$log"
router_start
passes "it starts and forwards without a log"
load_start 2000
cp "$CONF" "$T/good.yaml"
echo "interfaces: {lan0: {queues: many}}" > "$CONF"
ctl reload --wait > "$T/reload" 2>&1
is "a bad file is refused" $? 1
check "the operator is told why, all the same" grep '"many"' "$T/reload"
cp "$T/good.yaml" "$CONF"
check "a good one is taken" ctl reload --wait
ip -n r link set lan0 mtu 3000 # the log has something to say of that
sleep 0.3
ip -n r link set lan0 mtu 1500
load_stop
is "no packet was lost meanwhile" "$load_lost" 0
router_kill KILL
router_start
passes "the next one starts without a log, too"
check_conservation
check "it stops with status 0" router_stop
rm "$log"

# ---- no room in the run directory
small=$T/small
mkdir -p $small
mount -t tmpfs -o size=64k,nr_inodes=3 tmpfs $small
ROUTER_DIR=$small/run
router_spawn
check "without room for a socket it does not start" eventually 10 lib_gone || router_kill
router_gone
is "and its exit status is" $? 1
log_says "the log says where and why" "$ROUTER_DIR.*No space left on device"
check_not "no program is left on a port" sh -c 'ip -n r -d link | grep prog/xdp'
check_not "no pin" sh -c "find /sys/fs/bpf -name 'port-*' | grep ."
check "there is room again" mount -o remount,nr_inodes=100 $small
router_start
passes "and it starts"

note "the disk becomes full under it"
head -c 1000000 /dev/zero > $small/filler 2> "$T/seen"
for ((i = 0; i < 100; i++)); do : > $small/$i; done 2> "$T/seen"
check_not "nothing can be made there" touch $small/more
load_start 2000
check "it is asked and answers" ctl show status
check "a reload" ctl reload --wait
load_stop
is "no packet was lost meanwhile" "$load_lost" 0
router_kill KILL
router_start
passes "after kill -9 the next one finds its place in the full directory"
check_conservation
finish
