/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shaping, as plain data: tc's words, units, handles and defaults; a part of config/conf.h. */
#ifndef CONFIG_CONF_QOS_H
#define CONFIG_CONF_QOS_H

#include <stdbool.h>
#include <stdint.h>

#include "config/conf_match.h"

/* A handle as tc has it: the major number in the upper 16 bits, the minor in the lower. A qdisc's
 * has minor 0 ("10:"), a class's has its qdisc's major ("10:1"). */
#define CONF_HANDLE(major, minor) ((uint32_t)(major) << 16 | (minor))
#define CONF_MAJOR(handle)	  ((handle)&0xffff0000u)
#define CONF_MINOR(handle)	  ((handle)&0x0000ffffu)
#define CONF_ROOT		  0xffffffffu /* as a parent: the port itself */
#define CONF_INGRESS		  0xffff0000u /* "ffff:" */

enum conf_qdisc_kind {
	CONF_QDISC_PFIFO,
	CONF_QDISC_BFIFO,
	CONF_QDISC_PFIFO_FAST,
	CONF_QDISC_NOQUEUE,
	CONF_QDISC_TBF,
	CONF_QDISC_PRIO,
	CONF_QDISC_HTB,
	CONF_QDISC_SFQ,
	CONF_QDISC_RED,
	CONF_QDISC_CODEL,
	CONF_QDISC_FQ_CODEL,
	CONF_QDISC_NETEM,
	CONF_QDISC_KINDS
};
extern const char *const conf_qdisc_names[CONF_QDISC_KINDS]; /* "pfifo", ... */

enum conf_linklayer { CONF_LINKLAYER_ETHERNET, CONF_LINKLAYER_ATM };

/* How long a packet is taken to be: its frame without FCS plus overhead, at least mpu, in whole
 * cells of 48 of 53 bytes with ATM. */
struct conf_size {
	int32_t overhead; /* bytes, may be negative */
	uint32_t mpu;	  /* bytes */
	enum conf_linklayer linklayer;
};

/* Rates are bytes a second here (the file says bits), times nanoseconds, sizes bytes.
 * Probabilities and correlations: 0 .. 2^32 - 1 is 0 .. 100 %. */
struct conf_fifo {
	uint32_t limit; /* pfifo, pfifo_fast: packets (0: 1000); bfifo: bytes (0: 1000 MTUs) */
};
struct conf_tbf {
	uint64_t rate, peakrate; /* peakrate 0: none */
	uint64_t burst;		 /* bytes */
	uint64_t limit;		 /* bytes; of latency, if that was given, computed by the check */
	uint64_t latency;	 /* ns; 0: limit was given */
	uint32_t mtu;		 /* bytes of the second bucket; 0: without peakrate */
	struct conf_size size;
};
#define CONF_BANDS 16
struct conf_prio {
	uint32_t bands;	     /* 3 */
	uint8_t priomap[16]; /* by priority; tc's: 1 2 2 2 1 2 0 0 1 1 1 1 1 1 1 1 */
	unsigned npriomap;   /* 16: the file gives it; 0: it is tc's */
};
struct conf_htb {
	uint32_t default_minor; /* 0: what no filter knows leaves unshaped */
	char default_class[CONF_NAME];
	uint32_t r2q;	       /* 10 */
	uint32_t direct_limit; /* packets of the unshaped queue: 1000 */
	struct conf_size size; /* of all its classes */
};
struct conf_sfq {
	uint32_t limit;	  /* packets: 127 */
	uint32_t depth;	  /* of a flow: 127 */
	uint32_t divisor; /* hash buckets: 1024 */
	uint32_t flows;	  /* at most, at once: 127 */
	uint32_t quantum; /* bytes; 0: MTU + 14 */
	uint64_t perturb; /* ns; 0: never */
};
struct conf_red {
	uint64_t limit, min, max; /* bytes; limit 0: none given */
	uint32_t avpkt;		  /* bytes: 1000 */
	uint32_t burst;		  /* packets; 0: (2 min + max) / (3 avpkt) */
	uint64_t bandwidth;	  /* bytes/s, for idle times: 10mbit */
	uint32_t probability;	  /* 0.02 */
	bool ecn, harddrop, nodrop, adaptive;
};
struct conf_codel {
	uint32_t limit;		   /* packets: 1000 */
	uint64_t target, interval; /* 5 ms, 100 ms */
	bool ecn;		   /* no */
	uint64_t ce_threshold;	   /* UINT64_MAX: none */
};
struct conf_fq_codel {
	uint32_t limit, flows; /* 10240 packets, 1024 */
	uint32_t quantum;      /* bytes; 0: MTU + 14 */
	uint64_t target, interval, ce_threshold;
	uint64_t memory_limit; /* bytes: 32 MiB */
	uint32_t drop_batch;   /* 64 */
	bool ecn;	       /* yes */
};
enum conf_loss { CONF_LOSS_RANDOM, CONF_LOSS_STATE, CONF_LOSS_GEMODEL };
enum conf_distribution {
	CONF_DIST_UNIFORM,
	CONF_DIST_NORMAL,
	CONF_DIST_PARETO,
	CONF_DIST_PARETONORMAL,
};
struct conf_netem {
	uint32_t limit; /* packets: 1000 */
	uint64_t delay, jitter;
	uint32_t delay_correlation;
	enum conf_distribution distribution;
	enum conf_loss loss_model;
	uint32_t loss, loss_correlation;
	uint32_t state[5];	   /* p13, p31, p32, p23, p14 of loss-state */
	uint32_t gemodel[4];	   /* p, r, 1-h, 1-k of loss-gemodel */
	unsigned nstate, ngemodel; /* of these, given by the file; the others are tc's defaults */
	bool ecn;		   /* mark instead of losing */
	uint32_t duplicate, duplicate_correlation;
	uint32_t corrupt, corrupt_correlation;
	uint32_t reorder, reorder_correlation, gap; /* gap 0: 1 with reorder */
	uint64_t rate;
	int32_t packet_overhead, cell_overhead;
	uint32_t cell_size;
	uint64_t slot_min, slot_max;	   /* ns; 0: no slots */
	uint32_t slot_packets, slot_bytes; /* in a slot, at most; 0: any */
	uint64_t seed;			   /* 0: another each time */
};

struct conf_qdisc {
	uint32_t handle; /* never 0 after the check: what the file leaves out is chosen from 8001:
			    on, as tc does */
	uint32_t parent; /* a class, or CONF_ROOT */
	char parent_name[CONF_NAME]; /* as written, "" where its place says it; for the check */
	enum conf_qdisc_kind kind;
	union {
		struct conf_fifo fifo; /* pfifo, bfifo, pfifo_fast */
		struct conf_tbf tbf;
		struct conf_prio prio;
		struct conf_htb htb;
		struct conf_sfq sfq;
		struct conf_red red;
		struct conf_codel codel;
		struct conf_fq_codel fq_codel;
		struct conf_netem netem;
	};
	unsigned line;
};

/* A class of htb; of the others, whose classes are just there (bands of prio 1:1 .. 1:n, the one
 * child 1:1 of tbf, red, netem, codel has none), only a name for what hangs under it. */
struct conf_class {
	char name[CONF_NAME];
	uint32_t handle;
	uint32_t parent; /* a class, or the qdisc itself */
	char parent_name[CONF_NAME];
	uint64_t rate, ceil;	/* bytes/s; ceil 0 in the file: rate */
	uint64_t burst, cburst; /* bytes; without one in the file: what a millisecond takes, at
				   least 1600 */
	uint32_t quantum;	/* bytes; 0: rate / r2q, between 1000 and 200000 */
	uint32_t prio;		/* 0 .. 7, 0 is served first */
	unsigned line;
};

/* The burst of a class whose file gives none. */
static inline uint64_t conf_usual_burst(uint64_t rate)
{
	return rate / 1000 > 1600 ? rate / 1000 : 1600;
}

/* u32: bytes at `at` from the beginning of the IP header (or of what follows it: nexthdr), width
 * bytes of them, big endian, under mask, are value. */
struct conf_u32 {
	int32_t at;
	bool nexthdr;
	uint8_t width; /* 1, 2, 4 */
	uint32_t value, mask;
};
struct conf_bpf {
	uint16_t code;
	uint8_t jt, jf;
	uint32_t k;
};
#define CONF_U32_MAX 8
#define CONF_BPF_MAX 4096

/* What shaping's filters look at beside the matches of rules. */
struct conf_frame_match {
	uint16_t ethertype;    /* after VLAN tags; 0: any */
	int32_t vlan;	       /* vid; -1: any */
	int32_t vlan_priority; /* 0 .. 7; -1: any */
	bool has_src_mac, has_dst_mac;
	uint8_t src_mac[6], dst_mac[6];
	struct conf_u32 u32[CONF_U32_MAX];
	unsigned nu32;
	struct conf_bpf *bpf; /* tc's `bytecode "N,code jt jf k,..."`; sees the frame from its
				 Ethernet header */
	unsigned nbpf;
};

enum conf_conform {		       /* what a policer does with a packet */
		    CONF_CONFORM_PASS, /* ok: the packet goes on, no further filter is asked */
		    CONF_CONFORM_DROP,
		    CONF_CONFORM_PIPE,	     /* the next action */
		    CONF_CONFORM_CONTINUE,   /* the next filter */
		    CONF_CONFORM_RECLASSIFY, /* as in Linux: ask the filters again from the first */
		    CONF_CONFORM_MARK,	     /* DSCP is set to that colour's; then as PIPE */
};

/* A policer. With `name` it is one bucket for all rules and ports that name it. */
struct conf_police {
	char name[CONF_NAME];
	uint64_t rate, burst;		    /* bytes/s, bytes: the one rate, or the committed one */
	uint64_t peakrate, peakburst;	    /* trTCM (RFC 2698); peakrate alone: tc's, of one mtu */
	uint64_t excess;		    /* srTCM's EBS (RFC 2697) */
	uint32_t mtu;			    /* longer packets exceed; 0: any */
	uint64_t packet_rate, packet_burst; /* packets/s, packets; instead of rate and burst */
	bool color_aware; /* the packet's colour is taken from its DSCP: AFx1, AFx2, AFx3 */
	enum conf_conform conform, exceed, violate; /* green, yellow, red; with one bucket, exceed
						       is what does not conform: drop */
	uint8_t conform_dscp, exceed_dscp, violate_dscp;
	struct conf_size size;
};

struct conf_pedit {
	int32_t at; /* bytes from the IP header, or from the transport header */
	bool nexthdr, ethernet;
	uint8_t width;
	uint32_t value, mask; /* of the bits that are kept, 0 in mask */
};
#define CONF_PEDIT_MAX 8

enum conf_tc_act {
	CONF_TC_CLASS, /* the class of the filter: the packet is classified, and done */
	CONF_TC_DROP,
	CONF_TC_PASS,
	CONF_TC_POLICE,
	CONF_TC_MIRROR,	  /* mirred: a copy to `dev` */
	CONF_TC_REDIRECT, /* mirred: the packet itself to `dev` */
	CONF_TC_SKBEDIT,
	CONF_TC_PEDIT,
};
struct conf_tc_action {
	enum conf_tc_act act;
	char dev[CONF_NAME]; /* mirred: an interface of the file */
	uint32_t snaplen;    /* mirror: 0: all of it */
	struct conf_police police;
	bool has_mark, has_priority;
	uint32_t mark, mask, priority; /* skbedit; a priority may be a handle */
	struct conf_pedit pedit[CONF_PEDIT_MAX];
	unsigned npedit;
	bool csum; /* pedit: mend IP and transport checksums (as `action csum` would): yes */
};

/* `hash: {keys: [from], divisor: 1024, base: "1:100"}` (tc's flow): base + hash % divisor. */
enum conf_hash_key {
	CONF_HASH_SRC = 1,
	CONF_HASH_DST = 2,
	CONF_HASH_PROTO = 4,
	CONF_HASH_SPORT = 8,
	CONF_HASH_DPORT = 16,
	CONF_HASH_MARK = 32,
	CONF_HASH_DSCP = 64
};
struct conf_hash_class {
	uint32_t keys; /* 0: no such filter */
	uint32_t divisor;
	uint32_t base;
	char base_name[CONF_NAME];
};

/* A filter of an egress qdisc, or of a port's ingress. In order of priority, then of the file. */
struct conf_tc_filter {
	uint32_t priority; /* tc's pref */
	uint32_t parent;   /* handle of the qdisc it hangs on; ingress: CONF_INGRESS */
	char parent_name[CONF_NAME];
	struct conf_match match;
	struct conf_frame_match frame;
	uint32_t classid; /* 0: none */
	char class_name[CONF_NAME];
	struct conf_hash_class hash;
	struct conf_tc_action *actions; /* before the class */
	unsigned nactions;
	unsigned line;
	char file[CONF_NAME];
};

/* A tree of qdiscs: qdiscs[0] is the root; parents stand before their children, in both lists. */
struct conf_tree {
	struct conf_qdisc *qdiscs;
	unsigned nqdiscs; /* 0: no tree */
	struct conf_class *classes;
	unsigned nclasses;
	struct conf_tc_filter *filters;
	unsigned nfilters;
};

/* A port's shaping: `qos: {wan0: {egress: {root, classes, qdiscs, filters}, ingress: [...]}}`. */
struct conf_qos {
	char iface[CONF_NAME];
	struct conf_tree egress;
	struct conf_tree ifb; /* `ifb: {root, ...}`: what comes in passes this tree first, as it
				 would through Linux's IFB */
	struct conf_tc_filter *ingress;
	unsigned ningress;
	uint32_t frames; /* of packet memory that each of its trees may hold; 0: a share */
	unsigned line;
};

/* `mirror: [{name: ids, from: wan0, direction: both, proto: tcp, dport: 443, to: mon0}]`;
 * `redirect: [{name: tap, in: lan0, to: wan0}]`: without a match the whole port, any ethertype. */
enum conf_direction { CONF_DIRECTION_BOTH, CONF_DIRECTION_IN, CONF_DIRECTION_OUT };
struct conf_mirror {
	char name[CONF_NAME];
	char from[CONF_NAME], to[CONF_NAME]; /* interfaces */
	enum conf_direction direction;	     /* a redirection: in */
	struct conf_match match;
	struct conf_frame_match frame;
	uint32_t snaplen; /* bytes of a mirrored frame; 0: all */
	unsigned line;
	char file[CONF_NAME];
};

#endif
