// SPDX-License-Identifier: GPL-2.0-or-later
/* Classic BPF: what is refused, and each instruction as Linux means it: its own seccomp and socket
 * filters have the same interpreter, so one test asks the kernel. S17. */
#include <errno.h>
#include <linux/filter.h>
#include <sys/socket.h>
#include <unistd.h>

#include "router/net/qdisc/tc_bpf.h"
#include "tests/unit/tc_util.h"

#define N(prog) (sizeof(prog) / sizeof((prog)[0]))
#define I(code, jt, jf, k)                                                                         \
	{                                                                                          \
		(code), (jt), (jf), (uint32_t)(k)                                                  \
	}
#define RET_A I(BPF_RET | BPF_A, 0, 0, 0)

static struct frame frame;

static uint32_t run(const struct conf_bpf *prog, unsigned n)
{
	struct tc_view v;
	unsigned at;
	const char *wrong = tc_bpf_check(prog, n, &at);

	if (wrong)
		fail_msg("%u: %s", at, wrong);
	tc_look(&v, frame.bytes, frame.len, frame.l3, 0xabcd);
	return tc_bpf_run(prog, &v);
}
#define RUN(...)                                                                                   \
	({                                                                                         \
		const struct conf_bpf prog[] = { __VA_ARGS__ };                                    \
		run(prog, N(prog));                                                                \
	})

static int setup(void **state)
{
	(void)state;
	frame = packet(false, IPPROTO_UDP, 53, 30);
	return 0;
}

/* tcpdump -ddd 'udp port 53' */
static void test_tcpdump(void **state)
{
	static const struct conf_bpf prog[] = {
		I(40, 0, 0, 12),  I(21, 0, 4, 0x86dd), I(48, 0, 0, 20),	    I(21, 0, 15, 17),
		I(40, 0, 0, 54),  I(21, 12, 10, 53),   I(21, 0, 12, 0x800), I(48, 0, 0, 23),
		I(21, 0, 10, 17), I(40, 0, 0, 20),     I(69, 8, 0, 8191),   I(177, 0, 0, 14),
		I(72, 0, 0, 14),  I(21, 4, 0, 53),     I(72, 0, 0, 16),	    I(21, 2, 3, 53),
		I(40, 0, 0, 56),  I(21, 0, 1, 53),     I(6, 0, 0, 262144),  I(6, 0, 0, 0),
	};

	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		frame = packet(v6, IPPROTO_UDP, 53, 30);
		assert_int_equal(run(prog, N(prog)), 262144);
		frame = packet(v6, IPPROTO_UDP, 54, 30);
		assert_int_equal(run(prog, N(prog)), 0);
		frame = packet(v6, IPPROTO_TCP, 53, 30);
		assert_int_equal(run(prog, N(prog)), 0);
	}
}

static void test_loads(void **state)
{
	(void)state;
	assert_int_equal(RUN(I(BPF_LD | BPF_W | BPF_ABS, 0, 0, 26), RET_A), 0x0a000001);
	assert_int_equal(RUN(I(BPF_LD | BPF_H | BPF_ABS, 0, 0, 12), RET_A), 0x0800);
	assert_int_equal(RUN(I(BPF_LD | BPF_B | BPF_ABS, 0, 0, 23), RET_A), 17);
	assert_int_equal(
		RUN(I(BPF_LDX | BPF_IMM, 0, 0, 20), I(BPF_LD | BPF_W | BPF_IND, 0, 0, 6), RET_A),
		0x0a000001);
	assert_int_equal(
		RUN(I(BPF_LDX | BPF_IMM, 0, 0, -8), I(BPF_LD | BPF_H | BPF_IND, 0, 0, 20), RET_A),
		0x0800);
	assert_int_equal(RUN(I(BPF_LD | BPF_W | BPF_LEN, 0, 0, 0), RET_A), frame.len);
	assert_int_equal(
		RUN(I(BPF_LDX | BPF_W | BPF_LEN, 0, 0, 0), I(BPF_MISC | BPF_TXA, 0, 0, 0), RET_A),
		frame.len);
	assert_int_equal(
		RUN(I(BPF_LDX | BPF_B | BPF_MSH, 0, 0, 14), I(BPF_MISC | BPF_TXA, 0, 0, 0), RET_A),
		20);
	assert_int_equal(RUN(I(BPF_LD | BPF_IMM, 0, 0, 7), I(BPF_ST, 0, 0, 15),
			     I(BPF_LDX | BPF_IMM, 0, 0, 9), I(BPF_STX, 0, 0, 0),
			     I(BPF_LD | BPF_MEM, 0, 0, 0), I(BPF_LDX | BPF_MEM, 0, 0, 15),
			     I(BPF_ALU | BPF_ADD | BPF_X, 0, 0, 0), RET_A),
			 16);
	/* from the network header, and from the link header */
	assert_int_equal(RUN(I(BPF_LD | BPF_B | BPF_ABS, 0, 0, SKF_NET_OFF + 9), RET_A), 17);
	assert_int_equal(RUN(I(BPF_LD | BPF_H | BPF_ABS, 0, 0, SKF_LL_OFF + 12), RET_A), 0x800);
	assert_int_equal(RUN(I(BPF_LDX | BPF_B | BPF_MSH, 0, 0, SKF_NET_OFF),
			     I(BPF_MISC | BPF_TXA, 0, 0, 0), RET_A),
			 20);
}

/* What lies outside ends the program without a match. */
static void test_outside(void **state)
{
	static const int32_t at[] = {
		-1, INT32_MIN, INT32_MAX, SKF_LL_OFF - 1, SKF_NET_OFF - 1, SKF_NET_OFF + 100000
	};

	(void)state;
	frame.len = 60;
	assert_int_equal(RUN(I(BPF_LD | BPF_W | BPF_ABS, 0, 0, 57), I(BPF_RET, 0, 0, 1)), 0);
	assert_int_equal(RUN(I(BPF_LD | BPF_W | BPF_ABS, 0, 0, 56), I(BPF_RET, 0, 0, 1)), 1);
	assert_int_equal(RUN(I(BPF_LD | BPF_H | BPF_ABS, 0, 0, 59), I(BPF_RET, 0, 0, 1)), 0);
	assert_int_equal(RUN(I(BPF_LD | BPF_B | BPF_ABS, 0, 0, 59), I(BPF_RET, 0, 0, 1)), 1);
	assert_int_equal(RUN(I(BPF_LDX | BPF_B | BPF_MSH, 0, 0, 60), I(BPF_RET, 0, 0, 1)), 0);
	for (unsigned i = 0; i < N(at); i++)
		assert_int_equal(RUN(I(BPF_LDX | BPF_IMM, 0, 0, at[i]),
				     I(BPF_LD | BPF_W | BPF_IND, 0, 0, 0), I(BPF_RET, 0, 0, 1)),
				 0);
}

static void test_extensions(void **state)
{
	(void)state;
#define AD(of) I(BPF_LD | BPF_W | BPF_ABS, 0, 0, SKF_AD_OFF + (of)), RET_A
	assert_int_equal(RUN(AD(SKF_AD_PROTOCOL)), 0x0800);
	assert_int_equal(RUN(AD(SKF_AD_MARK)), 0xabcd);
	assert_int_equal(RUN(AD(SKF_AD_HATYPE)), 1);
	assert_int_equal(RUN(AD(SKF_AD_PKTTYPE)), 0);
	assert_int_equal(RUN(AD(SKF_AD_VLAN_TAG_PRESENT)), 0);
	assert_int_equal(RUN(I(BPF_LDX | BPF_IMM, 0, 0, 5), I(BPF_LD | BPF_IMM, 0, 0, 3),
			     AD(SKF_AD_ALU_XOR_X)),
			 6);
	memset(frame.bytes, 0xff, 6);
	assert_int_equal(RUN(AD(SKF_AD_PKTTYPE)), 1);
	frame.bytes[0] = 1;
	assert_int_equal(RUN(AD(SKF_AD_PKTTYPE)), 2);
	memmove(frame.bytes + 16, frame.bytes + 12, 60);
	memcpy(frame.bytes + 12, "\x81\0\x60\x07", 4);
	frame.l3 = 18;
	assert_int_equal(RUN(AD(SKF_AD_VLAN_TAG)), 0x6007);
	assert_int_equal(RUN(AD(SKF_AD_VLAN_TAG_PRESENT)), 1);
	assert_int_equal(RUN(AD(SKF_AD_VLAN_TPID)), 0x8100);
	assert_int_equal(RUN(AD(SKF_AD_PROTOCOL)), 0x0800);
	assert_int_equal(RUN(I(BPF_LD | BPF_B | BPF_ABS, 0, 0, SKF_NET_OFF), RET_A), 0x45);
}

/* ---- what the kernel says to the same program and data */

/* What a socket with this filter receives of a datagram is cut to what the program returns. */
static int kernel(const struct conf_bpf *prog, unsigned n, const uint8_t *data, unsigned len)
{
	struct sock_filter copied[16];
	struct sock_fprog p = { .len = (unsigned short)n, .filter = copied };
	uint8_t got[256];
	int pair[2];
	ssize_t rc;

	for (unsigned i = 0; i < n; i++)
		copied[i] = (struct sock_filter){ prog[i].code, prog[i].jt, prog[i].jf, prog[i].k };
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair), 0);
	if (setsockopt(pair[0], SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p))) {
		close(pair[0]);
		close(pair[1]);
		return -1;
	}
	rc = send(pair[1], data, len, 0);
	rc = rc < 0 ? 0 : recv(pair[0], got, sizeof(got), 0);
	close(pair[0]);
	close(pair[1]);
	return rc < 0 ? 0 : (int)rc;
}

static uint32_t random_code(void)
{
	static const uint16_t code[] = {
		BPF_LD | BPF_IMM,	   BPF_LDX | BPF_IMM,	      BPF_MISC | BPF_TAX,
		BPF_MISC | BPF_TXA,	   BPF_LD | BPF_B | BPF_ABS,  BPF_LD | BPF_H | BPF_ABS,
		BPF_LD | BPF_W | BPF_ABS,  BPF_LD | BPF_B | BPF_IND,  BPF_LD | BPF_W | BPF_IND,
		BPF_LDX | BPF_B | BPF_MSH, BPF_LD | BPF_W | BPF_LEN,  BPF_ALU | BPF_ADD,
		BPF_ALU | BPF_SUB,	   BPF_ALU | BPF_MUL,	      BPF_ALU | BPF_DIV,
		BPF_ALU | BPF_MOD,	   BPF_ALU | BPF_AND,	      BPF_ALU | BPF_OR,
		BPF_ALU | BPF_XOR,	   BPF_ALU | BPF_LSH,	      BPF_ALU | BPF_RSH,
		BPF_ALU | BPF_NEG,	   BPF_ALU | BPF_SUB | BPF_X, BPF_ALU | BPF_DIV | BPF_X,
		BPF_ALU | BPF_MOD | BPF_X, BPF_ALU | BPF_LSH | BPF_X, BPF_ALU | BPF_RSH | BPF_X,
		BPF_ALU | BPF_XOR | BPF_X, BPF_JMP | BPF_JA,	      BPF_JMP | BPF_JEQ,
		BPF_JMP | BPF_JGT,	   BPF_JMP | BPF_JGE,	      BPF_JMP | BPF_JSET,
		BPF_JMP | BPF_JGT | BPF_X, BPF_RET | BPF_A,	      0x37,
	};

	return code[(unsigned)rand() % N(code)];
}

/* Random programs that end with A in 0 .. 63: refused by both, or the same answer. */
static void test_as_linux(void **state)
{
	unsigned taken = 0, matched = 0;
	uint8_t data[96];

	(void)state;
	srand(7);
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)rand();
	for (unsigned turn = 0; turn < 20000; turn++) {
		struct conf_bpf prog[10];
		struct tc_view v = { .frame = data, .len = sizeof(data) };
		unsigned n = 8, at;
		uint32_t is;
		int said;

		for (unsigned i = 0; i < n; i++)
			prog[i] = (struct conf_bpf){ .code = (uint16_t)random_code(),
						     .jt = (uint8_t)(rand() % 5),
						     .jf = (uint8_t)(rand() % 5),
						     .k = (uint32_t)(rand() % 40) };
		prog[n++] = (struct conf_bpf)I(BPF_ALU | BPF_AND, 0, 0, 63);
		prog[n++] = (struct conf_bpf)RET_A;
		said = kernel(prog, n, data, sizeof(data));
		assert_int_equal(said < 0, tc_bpf_check(prog, n, &at) != NULL);
		if (said < 0)
			continue;
		is = tc_bpf_run(prog, &v);
		assert_int_equal(is < sizeof(data) ? is : sizeof(data), said);
		taken++;
		matched += said > 0;
	}
	assert_true(taken > 1000 && matched > 500);
}

/* ---- what is refused */

static void test_refused(void **state)
{
	static const struct {
		struct conf_bpf bad;
		unsigned behind; /* instructions of RET */
	} row[] = {
		{ I(0xff, 0, 0, 0), 1 },
		{ I(0x100 | BPF_RET, 0, 0, 0), 1 },
		{ I(BPF_LD | BPF_IMM, 0, 0, 0), 0 },
		{ I(BPF_LD | BPF_W | BPF_ABS, 0, 0, SKF_AD_OFF + SKF_AD_RXHASH), 1 },
		{ I(BPF_LD | BPF_W | BPF_ABS, 0, 0, -1), 1 },
		{ I(BPF_LDX | BPF_B | BPF_MSH, 0, 0, SKF_AD_OFF), 1 },
		{ I(BPF_LD | BPF_MEM, 0, 0, 16), 1 },
		{ I(BPF_LDX | BPF_MEM, 0, 0, 16), 1 },
		{ I(BPF_ST, 0, 0, 16), 1 },
		{ I(BPF_STX, 0, 0, -1), 1 },
		{ I(BPF_ALU | BPF_DIV, 0, 0, 0), 1 },
		{ I(BPF_ALU | BPF_MOD, 0, 0, 0), 1 },
		{ I(BPF_ALU | BPF_LSH, 0, 0, 32), 1 },
		{ I(BPF_ALU | BPF_RSH, 0, 0, 32), 1 },
		{ I(BPF_ALU | BPF_NEG | BPF_X, 0, 0, 0), 1 },
		{ I(BPF_JMP | BPF_JA, 0, 0, 2), 2 },
		{ I(BPF_JMP | BPF_JA, 0, 0, -1), 2 }, /* no way back */
		{ I(BPF_JMP | BPF_JEQ, 2, 0, 0), 2 },
		{ I(BPF_JMP | BPF_JEQ, 0, 2, 0), 2 },
		{ I(BPF_RET | BPF_X, 0, 0, 0), 1 },
		{ I(BPF_MISC | 0x40, 0, 0, 0), 1 },
	};
	static struct conf_bpf prog[CONF_BPF_MAX + 1];
	unsigned at;

	(void)state;
	for (unsigned i = 0; i < N(row); i++) {
		prog[0] = row[i].bad;
		for (unsigned k = 1; k <= row[i].behind; k++)
			prog[k] = (struct conf_bpf)I(BPF_RET, 0, 0, 0);
		assert_non_null(tc_bpf_check(prog, 1 + row[i].behind, &at));
		assert_int_equal(at, 0);
	}
	assert_non_null(tc_bpf_check(prog, 0, &at));
	for (unsigned i = 0; i <= CONF_BPF_MAX; i++)
		prog[i] = (struct conf_bpf)I(BPF_RET, 0, 0, 0);
	assert_non_null(tc_bpf_check(prog, CONF_BPF_MAX + 1, &at));
	assert_null(tc_bpf_check(prog, CONF_BPF_MAX, &at));
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_tcpdump),    TEST(test_loads),    TEST(test_outside),
		TEST(test_extensions), TEST(test_as_linux), TEST(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
