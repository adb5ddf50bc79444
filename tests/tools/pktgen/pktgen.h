/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of pktgen's user space. Only pktgen.c, which reads the command line, and these parts
 * include this. The tool links none of the router's code: it must not share what it is to judge. */
#ifndef TESTS_PKTGEN_PKTGEN_H
#define TESTS_PKTGEN_PKTGEN_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/tools/pktgen/wire.h"

#define NSEC_PER_SEC 1000000000ull

/* An address range A-B, both ends included; family is AF_INET or AF_INET6. */
struct range {
	int family;
	struct in6_addr first; /* the first four bytes are an IPv4 address */
	struct gen_walk walk;
};

struct gen_options {
	const char *dev;
	unsigned int ifindex;
	uint8_t dst_mac[6], src_mac[6];
	struct range src, dst;
	struct gen_walk sport, dport;
	uint32_t flows;
	uint32_t size; /* frame with FCS; 0: imix */
	uint64_t rate; /* packets a second, 0: as fast as can be */
	uint64_t count;
	double seconds; /* 0: until count or a signal */
	int cpu;	/* -1: where it starts */
	uint32_t batch; /* frames the kernel takes at once; 0: by the rate */
	bool udp_csum, kernel, json;
};

struct sink_options {
	const char *dev;
	unsigned int ifindex;
	uint64_t count;
	double seconds;
	double drain; /* seconds without a packet after which a signal ends it */
	int cpu;
	bool verify, wall, json;
};

/* What either side measured. */
struct report {
	uint64_t packets, bytes, ns;
};

/* parse.c: 0, or -EINVAL (-ERANGE: the range is empty or too long) with the output untouched. */
int parse_number(const char *s, uint64_t min, uint64_t max, uint64_t *out);
int parse_seconds(const char *s, double *out);
int parse_mac(const char *s, uint8_t out[6]);
int parse_range(const char *s, struct range *out);
int parse_ports(const char *s, struct gen_walk *out);
uint32_t imix_size(unsigned int i, bool v6);

/* Each runs to its end, prints its report and returns 0, or says why not and returns -errno. */
int gen_run(const struct gen_options *o);
int kernel_run(const struct gen_options *o);
int sink_run(const struct sink_options *o);

/* common.c */
int pin_to_cpu(int cpu);
int stop_signals_block(void);	    /* before any thread is made */
bool stop_signal_wait(uint64_t ns); /* true once SIGINT or SIGTERM has come */
uint64_t clock_ns(int clock);
double report_pps(const struct report *r);
void report_print(const struct report *r, bool json);
void report_number(const char *name, uint64_t value, bool json);

#endif
