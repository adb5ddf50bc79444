/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Classic BPF: a program of any bytes is refused, or runs to its end without leaving the frame, for
 * any frame. First byte: instructions; then 8 bytes for each; the rest is the frame.
 */
#include <assert.h>
#include <stdlib.h>

#include "router/net/qdisc/tc_bpf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The order of Linux's struct sock_filter. */
static void read_program(const uint8_t *data, struct conf_bpf *prog, unsigned n)
{
	for (unsigned i = 0; i < n; i++, data += 8) {
		memcpy(&prog[i].code, data, 2);
		prog[i].jt = data[2];
		prog[i].jf = data[3];
		memcpy(&prog[i].k, data + 4, 4);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_bpf prog[255];
	struct tc_view v;
	unsigned n, at;
	uint8_t *frame;

	if (!size || size > 4096)
		return 0;
	n = data[0];
	if (n > (size - 1) / 8)
		n = (unsigned)(size - 1) / 8;
	read_program(data + 1, prog, n);
	if (tc_bpf_check(prog, n, &at)) {
		assert(!n || at < n);
		return 0;
	}
	data += 1 + 8 * n;
	size -= 1 + 8 * (size_t)n;
	frame = malloc(size ? size : 1); /* its own: a read behind the end is seen */
	memcpy(frame, data, size);
	tc_look(&v, frame, (uint32_t)size, 14, 0);
	assert(tc_bpf_run(prog, &v) == tc_bpf_run(prog, &v));
	free(frame);
	return 0;
}
