// SPDX-License-Identifier: GPL-2.0-or-later
/* Elements of sets in an operator's words: whatever they are, what gets into a command of nft can
 * neither end it nor begin another. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "router/ctl/nft_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct nft_known_set sets[] = {
		{ .set = { .type = { CONF_FIELD_ADDRESS }, .ntypes = 1 } },
		{ .set = { .type = { CONF_FIELD_PREFIX }, .ntypes = 1 }, .ranges = true },
		{ .set = { .type = { CONF_FIELD_PORT, CONF_FIELD_PROTO }, .ntypes = 2 } },
		{ .set = { .type = { CONF_FIELD_MARK, CONF_FIELD_ADDRESS, CONF_FIELD_INTERFACE },
			   .ntypes = 3 },
		  .ranges = true },
	};
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789.:/- ";
	char *in = malloc(size + 1), out[256];
	int family;

	if (!in)
		return 0;
	memcpy(in, data, size);
	in[size] = '\0';
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		if (!nft_element_text(&sets[i], in, out, sizeof(out), &family))
			assert(out[0] && out[strspn(out, allowed)] == '\0');
	free(in);
	return 0;
}
