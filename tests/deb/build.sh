#!/bin/bash
# tests/deb/build.sh: the Debian package: built twice, in different places, times and languages, it is the
# same; lintian has nothing to say; what is in it is what it should be, and runs.
# It leaves the package in build/deb, for tests/deb/upgrade.sh.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/tap.sh
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT

before=$(git status --porcelain 2> /dev/null)
check "the package builds" debian/build build/deb || finish
is "the tree is not touched" "$(git status --porcelain 2> /dev/null)" "$before"
check "it builds again, elsewhere" env TZ=Pacific/Auckland LC_ALL=C.UTF-8 debian/build "$T/elsewhere/deb"
sums()
{
	(cd "$1" && sha256sum -- *.deb *.dsc *.tar.xz)
}
is "and is the same, byte by byte" "$(sums build/deb)" "$(sums "$T/elsewhere/deb")"
rm -rf "$T/elsewhere"

check "lintian has nothing to say" lintian --allow-root --pedantic --fail-on error,warning,info,pedantic build/deb/*.changes

deb=$(echo build/deb/router_*.deb)
dpkg-deb -x "$deb" "$T/root"
version=$(cat VERSION)
is "the daemon in it runs" "$("$T/root/usr/sbin/router" --version)" "router $version"
is "routerctl in it runs" "$("$T/root/usr/bin/routerctl" --version)" "routerctl $version"
check "its configuration is one" "$T/root/usr/sbin/router" --check "$T/root/etc/router/router.yaml"
is "which is an operator's to change" "$(dpkg-deb -I "$deb" conffiles)" /etc/router/router.yaml
is "and root's to read" "$(dpkg-deb -c "$deb" | awk '$6 == "./etc/router/router.yaml" { print $1, $2 }')" "-rw-r----- root/root"
for file in lib/systemd/system/router{,@}.service usr/lib/sysusers.d/router.conf usr/share/router/router.schema.json \
	usr/share/man/man8/router{,ctl}.8.gz usr/share/man/man5/router.yaml.5.gz usr/share/doc/router/router.yaml \
	usr/share/bash-completion/completions/router{,ctl}; do
	check "it has $file" test -s "$T/root/$file"
done
check "its programs are hardened" sh -c 'readelf -hld "$1" | grep -q "(PIE\|DYN" && readelf -d "$1" | grep -q BIND_NOW' \
	sh "$T/root/usr/sbin/router"
finish
