# make deps | all | man | check | check-quick | check-systemd | check-vm | fuzz | soak | bench | lint | install | clean
# make deb (the package, into build/deb) | check-deb (it, twice, installed and upgraded)
# V=1 shows the commands; SAN=address|thread|undefined (comma-separated) builds into build/san-*.

CC      ?= cc
CLANG   ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
PREFIX  ?= /usr
DESTDIR ?=
UNITDIR ?= $(PREFIX)/lib/systemd/system
VERSION := $(shell cat VERSION)
MODE    ?= release
SAN     ?=
V       ?= 0
Q       := $(if $(filter 1,$(V)),,@)
comma   := ,

B := build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)),/$(MODE))

# A sanitizer build also asserts; a release build keeps the cheap asserts of the control plane only.
OPT_release := -O3 -g
OPT_debug   := -Og -g
OPT     := $(if $(SAN),-O1 -g -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=all,$(OPT_$(MODE)))
MARCH   ?=

PKGS    := libxdp libbpf yaml-0.1 libsystemd libmnl libnftables liburcu-qsbr jansson
WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wwrite-strings \
           -Wundef -Wold-style-definition $(if $(NO_WERROR),,-Werror)
CFLAGS  := -std=gnu17 $(OPT) $(MARCH) $(WARN) -fno-strict-aliasing -fno-common -pthread
CPPFLAGS := $(if $(SAN)$(filter debug,$(MODE)),-DFRAME_CHECK) -I. -I$(B)/gen -D_GNU_SOURCE -D_LGPL_SOURCE -DROUTER_VERSION='"$(VERSION)"' \
           $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LDLIBS  := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -pthread -lm

# ---- sources: every folder by wildcard; a program's main() stands in its own list
LIB_C   := $(wildcard router/lib/*.c)
DAEMON_C := $(filter-out router/main.c,$(wildcard router/*.c)) $(wildcard router/net/*.c router/net/qdisc/*.c \
           router/ctl/*.c xsk/*.c config/*.c systemd/*.c)
CLI_C   := $(wildcard router/cli/*.c)
UNIT_C  := $(wildcard tests/unit/test_*.c)
FUZZ_C  := $(wildcard tests/fuzz/fuzz_*.c)
TOOL_C  := $(wildcard tests/tools/*.c)
BENCH_C := $(wildcard tests/bench/*.c)
BPF_C   := $(wildcard xsk/*.bpf.c tests/tools/*/*.bpf.c)
SKEL    := $(patsubst %.bpf.c,$(B)/gen/%.skel.h,$(BPF_C))

# Objects have a tree of their own: $(B)/router is a program, and router/ a folder of sources.
obj = $(patsubst %.c,$(B)/obj/%.o,$(filter-out %.bpf.c,$(1)))

LIB     := $(B)/librouter.a
PROGS   := $(B)/router $(B)/routerctl
UNITS   := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(UNIT_C))
FUZZERS := $(patsubst tests/fuzz/%.c,$(B)/tests/fuzz/%,$(FUZZ_C))
TOOLS   := $(patsubst tests/tools/%.c,$(B)/tests/tools/%,$(filter-out %.bpf.c,$(TOOL_C)))
# Manual pages and completion; man/manual fills in what tables tell, and is not installed.
MANUAL  := $(patsubst man/%.scd,$(B)/man/%,$(wildcard man/*.scd))
COMPLETION := $(patsubst %,$(B)/%,$(wildcard completion/*.bash))
BENCH   := $(if $(BENCH_C),$(B)/tests/bench/bench-c)

.PHONY: all man tools tests fuzzers deps check check-quick check-systemd check-deb soak fuzz bench lint deb install clean
.SECONDARY:
all: $(PROGS)
man: $(MANUAL) $(COMPLETION)
tools: all $(TOOLS)
tests: tools $(UNITS) $(BENCH)
fuzzers: $(FUZZERS) # CC=clang SAN=fuzzer-no-link,address,undefined, as tests/fuzz/run says

$(B)/router: $(B)/obj/router/main.o $(LIB)
	@mkdir -p $(@D); echo "  LD      $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(B)/routerctl: $(call obj,$(CLI_C)) $(LIB)
	@mkdir -p $(@D); echo "  LD      $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(LIB): $(call obj,$(LIB_C) $(DAEMON_C))
	@mkdir -p $(@D); echo "  AR      $@"
	$(Q)rm -f $@; ar rcs $@ $^
$(B)/man/manual: $(B)/obj/man/manual.o $(LIB)
	@mkdir -p $(@D); echo "  LD      $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(MANUAL): $(B)/man/%: man/%.scd man/weave $(B)/man/manual
	@echo "  MAN     $@"
	$(Q)man/weave $(B)/man/manual $< > $@.scd && scdoc < $@.scd > $@.tmp && mv $@.tmp $@
$(COMPLETION): $(B)/completion/%: completion/% man/weave $(B)/man/manual
	@mkdir -p $(@D); echo "  WEAVE   $@"
	$(Q)man/weave $(B)/man/manual $< > $@.tmp && mv $@.tmp $@
$(B)/tests/unit/%: $(B)/obj/tests/unit/%.o $(LIB)
	@mkdir -p $(@D); echo "  LD      $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)
$(B)/tests/tools/pktgen: $(call obj,$(wildcard tests/tools/pktgen/*.c))
$(B)/tests/tools/storm: $(call obj,$(wildcard tests/tools/storm/*.c))
$(B)/tests/tools/forward_oracle: $(call obj,$(wildcard tests/tools/forward_oracle/*.c))
$(B)/tests/tools/%: $(B)/obj/tests/tools/%.o $(LIB)
	@mkdir -p $(@D); echo "  LD      $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIB) $(LDLIBS)
$(B)/tests/fuzz/%: $(B)/obj/tests/fuzz/%.o $(LIB)
	@mkdir -p $(@D); echo "  LD      $@"
	$(Q)$(CC) $(CFLAGS) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(B)/tests/bench/bench-c: $(call obj,$(BENCH_C)) $(LIB)
	@mkdir -p $(@D); echo "  LD      $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/obj/%.o: %.c Makefile | $(SKEL)
	@mkdir -p $(@D); echo "  CC      $@"
	$(Q)$(CC) $(CFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<
$(B)/gen/%.bpf.o: %.bpf.c Makefile
	@mkdir -p $(@D); echo "  BPF     $@"
	$(Q)$(CLANG) -O2 -g -Wall -Werror -target bpf -mcpu=v3 -ffile-prefix-map='$(CURDIR)=.' -I. -I/usr/include/$(shell $(CC) -print-multiarch) -MMD -MP -c -o $@ $<
$(B)/gen/%.skel.h: $(B)/gen/%.bpf.o
	@echo "  SKEL    $@"
	$(Q)$(BPFTOOL) gen skeleton $< name $(subst -,_,$(notdir $*))_bpf > $@.tmp && mv $@.tmp $@

-include $(shell find $(B) -name '*.d' 2>/dev/null)

# ---- targets for people
deps:
	$(Q)tests/deps
check:
	$(Q)tests/check
check-quick:
	$(Q)tests/check quick
check-systemd: all
	$(Q)tests/run tests/systemd/*.sh
check-deb:
	$(Q)tests/run -t 1800 tests/deb/*.sh
soak:
	$(Q)$(MAKE) SAN=address,undefined tools
	$(Q)B=build/san-address-undefined tests/soak $(or $(SOAK_SECONDS),3600) $(SOAK_SEED)
check-vm: all
	$(Q)tests/run -t 1500 tests/vm/*.sh
fuzz:
	$(Q)tests/fuzz/run $(SECONDS_EACH)
bench: tests
	$(Q)tests/bench/bench
lint:
	$(Q)tests/lint
deb:
	$(Q)debian/build build/deb
clean:
	rm -rf build
install: all man
	install -Dm755 $(B)/router $(DESTDIR)$(PREFIX)/sbin/router
	install -Dm755 $(B)/routerctl $(DESTDIR)$(PREFIX)/bin/routerctl
	install -Dm644 systemd/router.service $(DESTDIR)$(UNITDIR)/router.service
	install -Dm644 systemd/router@.service $(DESTDIR)$(UNITDIR)/router@.service
	install -Dm644 systemd/router.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/router.conf
	$(B)/router --schema > $(B)/router.schema.json
	install -Dm644 $(B)/router.schema.json $(DESTDIR)$(PREFIX)/share/router/router.schema.json
	install -Dm644 config/router.yaml $(DESTDIR)$(PREFIX)/share/doc/router/router.yaml
	install -Dm644 README.md $(DESTDIR)$(PREFIX)/share/doc/router/README.md
	install -d $(addprefix $(DESTDIR)$(PREFIX)/share/,man/man5 man/man8 bash-completion/completions)
	install -m644 $(filter %.5,$(MANUAL)) $(DESTDIR)$(PREFIX)/share/man/man5
	install -m644 $(filter %.8,$(MANUAL)) $(DESTDIR)$(PREFIX)/share/man/man8
	for f in $(COMPLETION); do \
		install -m644 $$f $(DESTDIR)$(PREFIX)/share/bash-completion/completions/$$(basename $$f .bash); done
	[ -e $(DESTDIR)/etc/router/router.yaml ] || install -Dm640 config/minimal.yaml $(DESTDIR)/etc/router/router.yaml
