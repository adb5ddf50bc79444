// SPDX-License-Identifier: GPL-2.0-or-later
/* The check and the interpreter of classic BPF; see tc_bpf.h. Constants are Linux's own. */
#include "router/net/qdisc/tc_bpf.h"

#include <linux/filter.h>
#include <linux/if_arp.h>
#include <linux/if_packet.h>

#include "router/net/pkt.h"

struct machine {
	uint32_t a, x;
	uint32_t mem[BPF_MEMWORDS]; /* zero until written */
	const struct tc_view *v;
};

/* ---- the check */

static bool is_extension(uint32_t k)
{
	return k >= (uint32_t)SKF_AD_OFF;
}

static bool known_extension(uint32_t k)
{
	switch (k - (uint32_t)SKF_AD_OFF) {
	case SKF_AD_PROTOCOL:
	case SKF_AD_PKTTYPE:
	case SKF_AD_MARK:
	case SKF_AD_HATYPE:
	case SKF_AD_ALU_XOR_X:
	case SKF_AD_VLAN_TAG:
	case SKF_AD_VLAN_TAG_PRESENT:
	case SKF_AD_VLAN_TPID: return true;
	default: return false;
	}
}

static const char *check_load(const struct conf_bpf *i)
{
	switch (i->code) {
	case BPF_LD | BPF_W | BPF_ABS:
	case BPF_LD | BPF_H | BPF_ABS:
	case BPF_LD | BPF_B | BPF_ABS:
		return is_extension(i->k) && !known_extension(i->k) ? "extension is not supported"
								    : NULL;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX: return i->k < BPF_MEMWORDS ? NULL : "memory has 16 words";
	case BPF_LDX | BPF_B | BPF_MSH:
		return is_extension(i->k) ? "extension is not supported" : NULL;
	case BPF_LD | BPF_W | BPF_IND:
	case BPF_LD | BPF_H | BPF_IND:
	case BPF_LD | BPF_B | BPF_IND:
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM: return NULL;
	default: return "no such instruction";
	}
}

static const char *check_alu(const struct conf_bpf *i)
{
	bool constant = BPF_SRC(i->code) == BPF_K;

	switch (BPF_OP(i->code)) {
	case BPF_ADD:
	case BPF_SUB:
	case BPF_MUL:
	case BPF_OR:
	case BPF_AND:
	case BPF_XOR: return NULL;
	case BPF_NEG: return constant ? NULL : "no such instruction";
	case BPF_DIV:
	case BPF_MOD: return constant && !i->k ? "division by zero" : NULL;
	case BPF_LSH:
	case BPF_RSH: return constant && i->k >= 32 ? "shift by 32 or more" : NULL;
	default: return "no such instruction";
	}
}

/* `left`: instructions behind this one. */
static const char *check_jump(const struct conf_bpf *i, unsigned left)
{
	switch (BPF_OP(i->code)) {
	case BPF_JA:
		if (BPF_SRC(i->code) != BPF_K)
			return "no such instruction";
		return i->k < left ? NULL : "jump to behind the end";
	case BPF_JEQ:
	case BPF_JGT:
	case BPF_JGE:
	case BPF_JSET: return i->jt < left && i->jf < left ? NULL : "jump to behind the end";
	default: return "no such instruction";
	}
}

static const char *check_one(const struct conf_bpf *i, unsigned left)
{
	if (i->code > 0xff)
		return "no such instruction";
	switch (BPF_CLASS(i->code)) {
	case BPF_ALU: return check_alu(i);
	case BPF_JMP: return check_jump(i, left);
	case BPF_RET:
		return i->code == (BPF_RET | BPF_K) || i->code == (BPF_RET | BPF_A)
			       ? NULL
			       : "no such instruction";
	case BPF_MISC:
		return i->code == (BPF_MISC | BPF_TAX) || i->code == (BPF_MISC | BPF_TXA)
			       ? NULL
			       : "no such instruction";
	default: return check_load(i);
	}
}

const char *tc_bpf_check(const struct conf_bpf *prog, unsigned n, unsigned *at)
{
	*at = 0;
	if (!n || n > CONF_BPF_MAX)
		return n ? "more than 4096 instructions" : "no instructions";
	for (; *at < n; ++*at) {
		const char *wrong = check_one(&prog[*at], n - 1 - *at);

		if (wrong)
			return wrong;
	}
	*at = n - 1;
	return BPF_CLASS(prog[n - 1].code) == BPF_RET ? NULL : "does not end with ret";
}

/* ---- running it */

static uint32_t packet_type(const struct tc_view *v)
{
	static const uint8_t everybody[6] = { 255, 255, 255, 255, 255, 255 };

	if (v->len < ETH_HLEN || !(v->frame[0] & 1))
		return PACKET_HOST;
	return memcmp(v->frame, everybody, 6) ? PACKET_MULTICAST : PACKET_BROADCAST;
}

static uint32_t extension(const struct machine *m, uint32_t k)
{
	const struct tc_view *v = m->v;

	switch (k - (uint32_t)SKF_AD_OFF) {
	case SKF_AD_PROTOCOL: return v->ethertype;
	case SKF_AD_PKTTYPE: return packet_type(v);
	case SKF_AD_MARK: return v->mark;
	case SKF_AD_HATYPE: return ARPHRD_ETHER;
	case SKF_AD_ALU_XOR_X: return m->a ^ m->x;
	case SKF_AD_VLAN_TAG: return v->tci;
	case SKF_AD_VLAN_TAG_PRESENT: return v->tpid != 0;
	case SKF_AD_VLAN_TPID: return v->tpid;
	default: return 0; /* not after the check */
	}
}

static bool load(const struct machine *m, uint32_t offset, unsigned width, uint32_t *out)
{
	int64_t at = (int32_t)offset;

	if (at < SKF_LL_OFF)
		return false;
	if (at < SKF_NET_OFF)
		at -= SKF_LL_OFF;
	else if (at < 0)
		at += m->v->net - (int64_t)SKF_NET_OFF;
	return tc_load(m->v, at, width, out);
}

static unsigned width_of(uint16_t code)
{
	return BPF_SIZE(code) == BPF_W ? 4 : BPF_SIZE(code) == BPF_H ? 2 : 1;
}

/* Into A. */
static bool run_ld(struct machine *m, const struct conf_bpf *i)
{
	switch (BPF_MODE(i->code)) {
	case BPF_IMM: m->a = i->k; return true;
	case BPF_MEM: m->a = m->mem[i->k]; return true;
	case BPF_LEN: m->a = m->v->len; return true;
	case BPF_IND: return load(m, m->x + i->k, width_of(i->code), &m->a);
	default: break;
	}
	if (is_extension(i->k)) {
		m->a = extension(m, i->k);
		return true;
	}
	return load(m, i->k, width_of(i->code), &m->a);
}

/* Into X. MSH: the length of the IPv4 header that begins there. */
static bool run_ldx(struct machine *m, const struct conf_bpf *i)
{
	uint32_t first;

	switch (BPF_MODE(i->code)) {
	case BPF_IMM: m->x = i->k; return true;
	case BPF_MEM: m->x = m->mem[i->k]; return true;
	case BPF_LEN: m->x = m->v->len; return true;
	default: break;
	}
	if (!load(m, i->k, 1, &first))
		return false;
	m->x = 4 * (first & 15);
	return true;
}

/* False: a division by zero. */
static bool run_alu(struct machine *m, const struct conf_bpf *i)
{
	uint32_t by = BPF_SRC(i->code) == BPF_X ? m->x : i->k;

	switch (BPF_OP(i->code)) {
	case BPF_ADD: m->a += by; break;
	case BPF_SUB: m->a -= by; break;
	case BPF_MUL: m->a *= by; break;
	case BPF_OR: m->a |= by; break;
	case BPF_AND: m->a &= by; break;
	case BPF_XOR: m->a ^= by; break;
	case BPF_NEG: m->a = -m->a; break;
	case BPF_LSH: m->a <<= by & 31; break;
	case BPF_RSH: m->a >>= by & 31; break;
	case BPF_DIV:
		if (!by)
			return false;
		m->a /= by;
		break;
	case BPF_MOD:
		if (!by)
			return false;
		m->a %= by;
		break;
	default: break;
	}
	return true;
}

/* By how many instructions it jumps. */
static uint32_t run_jump(const struct machine *m, const struct conf_bpf *i)
{
	uint32_t with = BPF_SRC(i->code) == BPF_X ? m->x : i->k;
	bool holds;

	switch (BPF_OP(i->code)) {
	case BPF_JEQ: holds = m->a == with; break;
	case BPF_JGT: holds = m->a > with; break;
	case BPF_JGE: holds = m->a >= with; break;
	case BPF_JSET: holds = m->a & with; break;
	default: return i->k;
	}
	return holds ? i->jt : i->jf;
}

uint32_t tc_bpf_run(const struct conf_bpf *prog, const struct tc_view *v)
{
	struct machine m = { .v = v };

	for (const struct conf_bpf *i = prog;; i++) {
		bool good = true;

		switch (BPF_CLASS(i->code)) {
		case BPF_LD: good = run_ld(&m, i); break;
		case BPF_LDX: good = run_ldx(&m, i); break;
		case BPF_ST: m.mem[i->k] = m.a; break;
		case BPF_STX: m.mem[i->k] = m.x; break;
		case BPF_ALU: good = run_alu(&m, i); break;
		case BPF_JMP: i += run_jump(&m, i); break;
		case BPF_RET: return BPF_RVAL(i->code) == BPF_A ? m.a : i->k;
		case BPF_MISC:
			if (BPF_MISCOP(i->code) == BPF_TAX)
				m.x = m.a;
			else
				m.a = m.x;
			break;
		}
		if (!good)
			return 0;
	}
}
