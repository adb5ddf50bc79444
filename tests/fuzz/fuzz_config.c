// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes as a configuration: never a crash, a leak or a message without its last line; and what
 * loads prints as YAML that loads again and prints the same. Seeds: tests/config/ and config/.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In a directory that is not there, so that `include` finds nothing. */
#define NAME "/nonexistent/fuzz.yaml"

static struct conf *load(const char *text)
{
	struct conf *c = NULL;
	char *messages = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&messages, &len);

	if (!out)
		abort();
	int err = conf_load(NAME, text, out, &c);
	fclose(out);
	if ((err == 0) != (c != NULL))
		abort();
	if ((err != 0) != (strstr(messages, ": error: ") != NULL))
		abort();
	if (len > 0 && messages[len - 1] != '\n')
		abort();
	for (size_t i = 0; i < len; i++) /* nothing of the file may drive a terminal */
		if ((messages[i] >= 0 && messages[i] < 0x20 && !strchr("\t\n", messages[i])) ||
		    messages[i] == 0x7f)
			abort();
	free(messages);
	return c;
}

static char *print(const struct conf *c)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		abort();
	conf_print(c, out);
	fclose(out);
	return text;
}

static void check_prints_again(const struct conf *c)
{
	char *text = print(c);
	struct conf *again = load(text);

	if (!again)
		abort();
	char *text_again = print(again);
	if (strcmp(text, text_again))
		abort();
	free(text_again);
	free(text);
	conf_destroy(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	struct conf *c = load(text);
	free(text);
	if (c)
		check_prints_again(c);
	conf_destroy(c);
	return 0;
}
