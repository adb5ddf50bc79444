// SPDX-License-Identifier: GPL-2.0-or-later
/* The list of reserved ports: any text is taken or refused, and what was taken prints as a text
 * that says the same. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "router/ctl/kernel_ports.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct port_set s, again;
	static char text[512 * 1024];
	char *in = malloc(size + 1);

	if (!in)
		return 0;
	memcpy(in, data, size);
	in[size] = '\0';
	if (!port_set_parse(in, &s)) {
		assert(port_set_format(&s, text, sizeof(text)) >= 0);
		assert(!port_set_parse(text, &again));
		assert(!memcmp(&s, &again, sizeof(s)));
	}
	free(in);
	return 0;
}
