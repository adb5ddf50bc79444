#!/bin/bash
# tests/package/short.sh: what comes with the programs is of the same version as they are: man pages and
# completion have what the tables and the programs' own help have, the container has the unit's rights.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/tap.sh
B=${B:-build/release}
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
command -v scdoc > /dev/null || skip_all "no scdoc here"
check "manual pages and completion build" make -s MODE="${B##*/}" man
is "the package is of the version of the programs" "$(sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)" "$(cat VERSION)"

# ---- man pages
# page NAME: as it is read, a paragraph a line, without what hyphenation and filling do to it
page()
{
	MANWIDTH=500 man --no-hyphenation --no-justification --warnings -l "$B/man/$1" 2> "$T/complaints" | sed 's/.\x08//g'
}

# all_in WHAT FILE: each line of stdin is somewhere in FILE.
all_in()
{
	local line missing=()
	while IFS= read -r line; do
		grep -qF -e "$line" "$2" || missing+=("$line")
	done
	[ ${#missing[@]} = 0 ] && ok "$1" || not_ok "$1" "${missing[@]}"
}

for name in router.8 routerctl.8 router.yaml.5; do
	page $name > "$T/$name"
	check "$name is a page" grep -q '^SEE ALSO' "$T/$name"
	is "$name: groff has nothing to say" "$(cat "$T/complaints")" ""
	check_not "$name: nothing was left to fill in" grep '^ *@.*@$' "$T/$name"
done
# The keys, out of the schema that the program itself prints; where a mapping's keys are those of another
# one, it is enough that the page says of which.
"$B/router" --schema > "$T/schema"
python3 - "$T/schema" <<-'P' | all_in "router.yaml.5 has every key of the schema" "$T/router.yaml.5"
	import json, sys
	def keys(s):
	    if isinstance(s, dict):
	        yield from s.get("properties", {})
	        for v in s.values():
	            yield from keys(v)
	    elif isinstance(s, list):
	        for v in s:
	            yield from keys(v)
	print("\n".join(sorted(set(keys(json.load(open(sys.argv[1])))))))
P
sed -n 's/.*\.words = "\([^"]*\)",.*/\1/p' router/ctl/commands.c | tr -d '<>' |
	all_in "routerctl.8 has every command of the table" "$T/routerctl.8"
sed -n 's/^\tX([A-Z0-9_]*, *"\([a-z0-9-]*\)", *"\([a-z0-9-]*\)",.*/\1 (\2)/p' router/net/counters.h |
	all_in "router.8 has every reason for drops" "$T/router.8"

# ---- options: what help, page and completion know is the same
# options: those named on stdin, sorted
options()
{
	grep -oE -e '(^|[" [,(|])(-[a-zA-Z]|--[a-z]+)\>' | tr -d '" [(,|' | LC_ALL=C sort -u | paste -sd ' '
}
# page_options NAME: those that the section OPTIONS of a page tells of
page_options()
{
	sed -n '/^OPTIONS/,/^[A-NP-Z]/p' "$T/$1" | grep '^ *-' | options
}
want=$({ "$B/router" --help; echo --config; } | options) # getopt's long name of -c
is "router.8 has the options of router --help" "$(page_options router.8)" "$want"
is "completion knows the same" \
	"$(grep -A 1 'compgen -W' completion/router.bash | sed 's/.*compgen -W//; s/ -- .*//' | options)" "$want"
want=$({ ROUTER_RUN_DIR=$T/nobody "$B/routerctl" help 2> /dev/null; echo --help; } | options)
is "routerctl.8 has the options of routerctl help" "$(page_options routerctl.8)" "$want"

# ---- completion in bash, with no daemon to ask
# completes LINE: what bash offers for the last word of LINE
completes()
{
	# shellcheck disable=SC2016
	PATH=$PWD/$B:$PATH ROUTER_RUN_DIR=$T/nobody bash --norc -c '
		for f in "$1"/completion/*.bash; do . "$f" || exit; done
		read -ra COMP_WORDS <<< "$2"
		[[ $2 != *" " ]] || COMP_WORDS+=("")
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		_${COMP_WORDS[0]}
		echo "${COMPREPLY[*]}"' bash "$B" "$1" 2>&1
}
is "routerctl show q" "$(completes 'routerctl show q')" qos
is "routerctl sh nat, cut short" "$(completes 'routerctl sh nat ')" "mappings ports"
is "routerctl -R DIR -j mon" "$(completes 'routerctl -R /tmp -j mon')" monitor
is "routerctl h" "$(completes 'routerctl h')" help
is "routerctl nonsense" "$(completes 'routerctl nonsense ')" ""
is "router --ch" "$(completes 'router --ch')" --check
is "router --check con" "$(cd "$T" && touch con.yaml && cd "$OLDPWD" && completes "router --check $T/con")" "$T/con.yaml"

# ---- the container: the unit's capabilities and system calls
DRY_RUN=1 ENGINE=podman container/run router > "$T/run"
is "the container has the capabilities of the unit" "$(grep -oE 'cap-add [A-Z_]+' "$T/run" | cut -d' ' -f2 | xargs)" \
	"$(sed -n 's/^CapabilityBoundingSet=//p' systemd/router.service | sed 's/CAP_//g')"
check "and drops all others" grep -q -- '--cap-drop ALL' "$T/run"
check_not "it is not privileged" grep -qi -e privileged -e SYS_ADMIN -e unconfined "$T/run"
if command -v systemd-analyze > /dev/null; then
	container/seccomp > "$T/seccomp.json"
	check "its system calls are those of the unit (container/seccomp)" diff "$T/seccomp.json" container/seccomp.json
fi
check "its image is Debian 12's" test "$(grep -c '^FROM docker.io/library/debian:12-slim' container/Containerfile)" = 2
finish
