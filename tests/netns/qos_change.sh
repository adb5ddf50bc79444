#!/bin/bash
# tests/netns/qos_change.sh: a tree under load is changed a hundred times, and taken away full:
# nothing leaks, nothing gets stuck, no flow is reordered, and what stays keeps its statistics.
# check: heavy
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../peers.sh"
. "$(dirname "$0")/../qos.sh"

rate=20000 # packets a second, of 1000 bytes: 160 Mbit/s
changes=100
case $B in *san-*) rate=2000 changes=20 ;; esac

htb() # RATE LEAF [CLASS...]
{
	echo "{root: {htb: {default: all}, handle: \"1:\"}, classes: {
		all: {handle: \"1:10\", rate: $1, ceil: $1, leaf: {$2}}${3:+, $3}}}"
}

# The tree of step N: mostly the same class with other numbers or another leaf; sometimes a class
# more, another root, or none at all.
tree()
{
	case $(($1 % 10)) in
	0 | 4) htb 50mbit 'fq_codel: {}' ;;
	1) htb 200mbit 'fq_codel: {target: 1ms}' ;;
	2) htb 100mbit 'pfifo: {limit: 200}' ;;
	3) htb 100mbit 'pfifo: {limit: 20}' 'other: {handle: "1:20", rate: 1mbit, ceil: 100mbit}' ;;
	5) echo '{root: {tbf: {rate: 60mbit, burst: 32kb, latency: 20ms}, handle: "2:"}}' ;;
	6) echo '{root: {prio: {bands: 3}, handle: "3:"}}' ;;
	7) echo '{root: {fq_codel: {}, handle: "4:"}}' ;;
	8) echo '{root: {pfifo: {limit: 50}, handle: "5:"}}' ;;
	esac
}

resident()
{
	awk '/VmRSS/ { print $2 }' "/proc/${lib_pid[$ROUTER_DIR]}/status"
}

load_start() # PPS [SECONDS]
{
	rm -f "$T/ours.pid"
	flood ours 1000 "$1" "${2:-500}" > "$T/flood" 2>&1 &
	load=$!
	eventually 5 test -s "$T/ours.pid" > "$T/ready"
	sleep 0.5
}

# reload_all FIRST LAST: how many were refused
reload_all()
{
	local i refused=0
	for i in $(seq "$1" "$2"); do
		shape "$(tree "$i")" > "$T/reload" 2>&1 || {
			refused=$((refused + 1))
			note "step $i: $(cat "$T/reload")"
		}
	done
	echo $refused
}

full()
{
	[ "$(qos 1:10 qlen)" -ge 400 ]
}

qos_topo || exit
router_start
check "it forwards" flood_ready ours

note "statistics stay with what stays"
check "a tree" shape "$(htb 50mbit 'pfifo: {limit: 100}')"
load_start 4000 6
before=$(qos 1:10 packets)
for at in 40mbit 60mbit 80mbit 100mbit; do
	shape "$(htb $at 'pfifo: {limit: 100}')" > "$T/reload" 2>&1 || not_ok "a rate" "$(cat "$T/reload")"
done
after=$(qos 1:10 packets)
wait $load
check "of a class whose rate changes four times" [ "$after" -gt "$before" ]
check "nothing is left" qos_idle
is "it has sent what arrived" "$(qos 1:10 packets)" "$(json "$T/ours.sink" 'd["packets"]')"
is "in order, and once" "$(json "$T/ours.sink" '[d["reordered"], d["duplicates"]]')" "[0, 0]"

note "a hundred changes under load"
reload_all 0 9 > "$T/refused" # every kind once, before memory is looked at
memory=$(resident)
load_start $rate
is "none of $changes is refused" "$(reload_all 1 $changes | tail -n 1)" 0
check "and still packets leave" ns a ping -q -c 3 -i 0.2 -W 2 10.0.2.2
flood_stop ours
wait $load
is "no flow was reordered, no packet sent twice" \
	"$(json "$T/ours.sink" '[d["reordered"], d["duplicates"]]')" "[0, 0]"
check "a good part arrived" [ "$(json "$T/ours.sink" 'd["packets"]')" -gt \
	$(($(json "$T/ours.gen" 'd["packets"]') / 10)) ]
check "nothing is stuck" qos_idle
check "without a tree" shape
note "memory: $memory KiB before, $(resident) KiB after $changes changes"
case $B in
*san-*) skip "memory is what it was" "a sanitizer keeps what was freed" ;;
*) check "memory is what it was" [ "$(resident)" -lt $((memory + memory / 10 + 4096)) ] ;;
esac

note "taken away full"
for to in '' "$(htb 1gbit 'pfifo: {limit: 10}')" '{root: {fq_codel: {}, handle: "4:"}}'; do
	check "a slow class" shape "$(htb 1mbit 'pfifo: {limit: 500}')"
	load_start 2000 3
	check "is full" eventually 3 full
	check "and goes: ${to:-no tree}" shape "$to"
	wait $load
	check "packets leave at once" ns a ping -q -c 3 -i 0.1 -W 1 10.0.2.2
	is "in order" "$(json "$T/ours.sink" '[d["reordered"], d["duplicates"]]')" "[0, 0]"
	[ -z "$to" ] || check "nothing is left" qos_idle
	check "no frame is lost" eventually 3 lib_frames_add_up
done
check_conservation
finish
