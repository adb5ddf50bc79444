// SPDX-License-Identifier: GPL-2.0-or-later
/* What nft says of the table: any text, and what is taken out of it is a line of commands. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "router/ctl/nft_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct conf_set sets[] = {
		{ .name = "s", .type = { CONF_FIELD_ADDRESS }, .ntypes = 1 },
		{ .name = "s", .type = { CONF_FIELD_ADDRESS, CONF_FIELD_INTERFACE }, .ntypes = 2 },
	};
	struct nft_rule rules[2] = {};
	char *in = malloc(size + 1), *text = NULL;
	size_t len;

	if (!in)
		return 0;
	memcpy(in, data, size);
	in[size] = '\0';
	nft_state_counters(in, rules, 2);
	for (int i = 0; i < 2; i++) {
		struct nft_text t = { .table = "router", .out = open_memstream(&text, &len) };

		nft_state_elements(in, "s", &sets[i], &t);
		fclose(t.out);
		assert(!len == !t.lines);
		free(text);
	}
	free(in);
	return 0;
}
