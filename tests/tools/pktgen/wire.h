/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What pktgen's BPF programs and its user space agree on: the payload header, the programs'
 * settings, and the counters they leave in their maps. Included by both, so only kernel types. */
#ifndef TESTS_PKTGEN_WIRE_H
#define TESTS_PKTGEN_WIRE_H

#include <linux/types.h>

/* The header that the kernel's pktgen puts behind UDP (net/core/pktgen.c), in network order. A
 * 64-byte IPv4 frame has two bytes left behind it: ours holds the flow's number modulo 65536
 * there, so that the sink can judge order flow by flow. The kernel leaves zeros: one flow. */
#define PKTGEN_MAGIC 0xbe9be955u

struct pktgen_hdr {
	__be32 magic;
	__be32 seq;
	__be32 tv_sec;
	__be32 tv_usec;
	__be16 flow;
} __attribute__((packed));
_Static_assert(sizeof(struct pktgen_hdr) == 18, "fills a 64-byte IPv4 frame to the last byte");

/* Frame lengths here and in the maps are without the 4 bytes of FCS that people's sizes count. */
#define FCS_LEN	      4
#define FRAME_MIN_V4  60 /* 14 + 20 + 8 + 18 */
#define FRAME_MIN_V6  80 /* 14 + 40 + 8 + 18 */
#define FRAME_MAX     1514
#define PKTGEN_TTL    64
#define PKTGEN_GROUPS 65536 /* order is kept per flow number modulo this */
#define PKTGEN_WINDOW 65536 /* a duplicate is seen within this many sequence numbers */

/* A field that the generator walks: `count` values upward from `base`. Of an IPv6 address it is
 * the lower half that walks. */
struct gen_walk {
	__u64 base; /* host order */
	__u32 count;
	__u32 pad;
};

enum gen_field {
	GEN_SRC,
	GEN_DST,
	GEN_SPORT,
	GEN_DPORT,
	GEN_FIELDS,
};

#define GEN_IMIX_LEN 12

/* Constants of a generator run; the verifier folds them into the program. */
struct gen_config {
	__u32 ifindex;
	__u32 flows;
	__u64 count;	   /* packets to send, 0: no end */
	__u64 interval_fp; /* ns between packets, with GEN_FP_BITS of fraction; 0: as fast as can be
			    */
	struct gen_walk walk[GEN_FIELDS];
	__u32 src_hi[2], dst_hi[2]; /* upper halves of IPv6 addresses, network order */
	__u16 len;		    /* of every frame, or of the longest with imix */
	__u16 imix_len[GEN_IMIX_LEN];
	__u16 macs[6]; /* destination and source, as they lie in the frame */
	__u8 imix;
	__u8 v6;
	__u8 udp_csum; /* over IPv4 too */
};

#define GEN_FP_BITS 8

/* Where a generator run is; user space reads it while the program runs. */
struct gen_state {
	__u64 packets;
	__u64 bytes;
	__u64 first_ns, last_ns;
	__u64 next_fp;	 /* when the next packet is due */
	__u64 sec_start; /* ns at which the current second began */
	__u32 sec;
	__u32 seq;
	__u32 pos[GEN_FIELDS];
	__u32 flow;
	__u32 imix_pos;
	__u32 done; /* count reached */
};

/* Latency histogram: exact below 32 ns, then 32 steps to each power of two (3 %), up to 2^37 ns. */
#define HIST_SUB_BITS 5
#define HIST_SUB      (1u << HIST_SUB_BITS)
#define HIST_MAX_BIT  36
#define HIST_BUCKETS  ((HIST_MAX_BIT - HIST_SUB_BITS + 2) * HIST_SUB)

/* What one CPU of the sink saw. */
struct sink_stats {
	__u64 packets;
	__u64 bytes;
	__u64 other; /* not ours: left to the kernel's stack */
	__u64 bad_csum;
	__u64 duplicates;
	__u64 reordered;
	__u64 first_ns, last_ns;
	__u64 lat_sum, lat_min, lat_max;
	__u32 seq_min, seq_max;
	__u32 hist[HIST_BUCKETS];
};

struct sink_config {
	__u64 clock_offset; /* the sender's clock minus CLOCK_MONOTONIC, ns */
	__u8 verify;	    /* checksums too */
};

static inline __u32 hist_log2(__u64 v)
{
	__u32 bit = 0;

	for (__u32 step = 32; step; step >>= 1)
		if (v >> (bit + step))
			bit += step;
	return bit;
}

static inline __u32 hist_bucket(__u64 ns)
{
	__u32 bit = hist_log2(ns);

	if (bit < HIST_SUB_BITS)
		return (__u32)ns;
	if (bit > HIST_MAX_BIT)
		return HIST_BUCKETS - 1;
	return (bit - HIST_SUB_BITS + 1) * HIST_SUB +
	       ((__u32)(ns >> (bit - HIST_SUB_BITS)) & (HIST_SUB - 1));
}

/* The greatest value that falls into bucket i. */
static inline __u64 hist_upper(__u32 i)
{
	__u32 octave = i / HIST_SUB;

	if (!octave)
		return i;
	return ((__u64)(HIST_SUB + i % HIST_SUB + 1) << (octave - 1)) - 1;
}

/* RFC 1071: the one's complement sum of words, in whatever byte order they lie in memory. */
static inline __u16 csum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

#endif
