// SPDX-License-Identifier: GPL-2.0-or-later
/* The schema for people, and as JSON Schema for editors: both straight from the rows. [any] */
#include <errno.h>
#include <string.h>

#include "config/schema.h"

static const char *type_name(const struct schema_row *row)
{
	static const char *const names[] = {
		[SCHEMA_MAP] = "mapping",
		[SCHEMA_NAMED] = "mapping of names",
		[SCHEMA_LIST] = "list",
		[SCHEMA_UINT] = "number",
		[SCHEMA_BOOL] = "true or false",
		[SCHEMA_ENUM] = "",
		[SCHEMA_CPUS] = "CPUs",
		[SCHEMA_NETDEV] = "netdev",
		[SCHEMA_PATH] = "path",
		[SCHEMA_GROUP] = "group",
		[SCHEMA_PATTERN] = "file pattern",
		[SCHEMA_MODE] = "mode",
		[SCHEMA_MAC] = "MAC address",
		[SCHEMA_ADDRESS] = "address",
		[SCHEMA_PREFIX] = "address/length",
		[SCHEMA_DESTINATION] = "prefix or default",
		[SCHEMA_TABLE] = "number, name, or ",
		[SCHEMA_NETWORK] = "prefix",
		[SCHEMA_NAME] = "name",
		[SCHEMA_LABEL] = "text",
		[SCHEMA_DURATION] = "duration, like 30s or 2h4m",
		[SCHEMA_PRIORITY] = "number, or ",
		[SCHEMA_MARK] = "number, or number/mask",
		[SCHEMA_SPAN] = "number or range",
		[SCHEMA_PORT_RANGE] = "port or range of ports",
		[SCHEMA_RATE] = "rate, like 50/s",
		[SCHEMA_TCP_FLAGS] = "flags/mask",
		[SCHEMA_ELEMENT] = "element of the set's type",
		[SCHEMA_INT] = "number",
		[SCHEMA_NUMBER] = "number, also 0x10; ",
		[SCHEMA_ANY_MAC] = "MAC address",
		[SCHEMA_BITRATE] = "rate, like 95mbit",
		[SCHEMA_SIZE] = "size, like 15kb",
		[SCHEMA_TIME] = "time, like 5ms",
		[SCHEMA_PERCENT] = "percentage, like 0.1%",
		[SCHEMA_PROBABILITY] = "number 0..1",
		[SCHEMA_QDISC_HANDLE] = "handle, like \"1:\"",
		[SCHEMA_CLASS_HANDLE] = "handle, like \"1:10\"",
		[SCHEMA_SKB_PRIORITY] = "number, or handle",
		[SCHEMA_REFERENCE] = "name or handle",
		[SCHEMA_BYTECODE] = "BPF program",
		[SCHEMA_ADDRESSES] = "address, prefix, range, set, or list",
		[SCHEMA_RANGES] = "address, prefix, range, or list",
		[SCHEMA_PORTS] = "port, range, set, or list",
		[SCHEMA_NAMES] = "interface, zone, set, or list",
		[SCHEMA_NAME_LIST] = "list of names",
		[SCHEMA_PROTOS] = "one or a list of: number, ",
		[SCHEMA_ICMP] = "one or a list of: number, number/code, ",
		[SCHEMA_ICMPV6] = "one or a list of: number, number/code, ",
		[SCHEMA_BITS] = "one or a list of: ",
		[SCHEMA_WORDS] = "one or a list of: ",
		[SCHEMA_PERCENTS] = "list of percentages",
		[SCHEMA_NUMBERS] = "list of numbers",
	};

	return names[row->type];
}

void schema_print_value(FILE *out, const struct schema_row *row)
{
	char words[400];

	fputs(row->map_too ? "mapping, or " : "", out);
	fputs(row->single_too ? "element or " : "", out);
	fputs(type_name(row), out);
	if (row->type == SCHEMA_UINT)
		fprintf(out, " %u..%u%s%s", row->min, row->max,
			row->power_of_two ? ", a power of two" : "", row->words ? ", or " : "");
	fputs(schema_words(row, words, sizeof(words)), out);
	if (row->required)
		fputs("; required", out);
	if (row->fallback)
		fprintf(out, "; default %s", row->fallback);
	if (row->like)
		fprintf(out, "; its keys are those of %s", row->like);
}

void conf_schema_print(FILE *out)
{
	for (unsigned i = 1; i < schema_nrows; i++) { /* row 0 is the file itself */
		const struct schema_row *row = &schema_rows[i];

		fprintf(out, "%s\n    ", row->path);
		schema_print_value(out, row);
		fprintf(out, "\n    %s\n", row->doc);
	}
}

static void json_row(FILE *out, const struct schema_row *row, int indent);

static void json_string(FILE *out, const char *s)
{
	fputc('"', out);
	for (; *s; s++) /* texts of the table: ASCII without control characters */
		fprintf(out, "%s%c", strchr("\"\\", *s) ? "\\" : "", *s);
	fputc('"', out);
}

static void json_words(FILE *out, const struct schema_row *row)
{
	fputs("\"enum\": [", out);
	for (const struct schema_word *w = row->words; w->word; w++) {
		fputs(w == row->words ? "" : ", ", out);
		if (!strcmp(w->word, "true") || !strcmp(w->word, "false"))
			fputs(w->word, out);
		else
			json_string(out, w->word);
	}
	fputc(']', out);
}

static void json_integer(FILE *out, const struct schema_row *row)
{
	fputs("\"type\": \"integer\", ", out);
	if (!row->power_of_two) {
		fprintf(out, "\"minimum\": %u, \"maximum\": %u", row->min, row->max);
		return;
	}
	fputs("\"enum\": [", out);
	for (unsigned n = row->min; n <= row->max; n *= 2)
		fprintf(out, "%s%u", n == row->min ? "" : ", ", n);
	fputc(']', out);
}

/* A number of zero stands among the words of a row ("0" beside auto) for YAML's text, not for
 * JSON's. */
static void json_uint(FILE *out, const struct schema_row *row)
{
	if (!row->words) {
		json_integer(out, row);
		return;
	}
	fputs("\"anyOf\": [{", out);
	json_integer(out, row);
	for (const struct schema_word *w = row->words; w->word; w++) {
		fputs("}, {\"const\": ", out);
		if (!strcmp(w->word, "0"))
			fputc('0', out);
		else
			json_string(out, w->word);
	}
	fputs("}]", out);
}

static void json_default(FILE *out, const struct schema_row *row)
{
	bool bare =
		row->type == SCHEMA_BOOL || row->type == SCHEMA_INT ||
		row->type == SCHEMA_PROBABILITY ||
		(row->type == SCHEMA_UINT && row->fallback[0] >= '0' && row->fallback[0] <= '9');

	fputs(", \"default\": ", out);
	if (bare)
		fputs(row->fallback, out);
	else
		json_string(out, row->fallback);
}

static void json_map(FILE *out, const struct schema_row *row, int indent)
{
	row = schema_body(row);
	const struct schema_row *end = schema_end(row);
	const char *joint = "";

	fputs("\"type\": \"object\", \"additionalProperties\": false", out);
	for (const struct schema_row *child = row + 1; child < end; child++) {
		const char *key = schema_key_under(child, row);
		if (!key || !child->required)
			continue;
		fprintf(out, "%s\"%s\"", *joint ? joint : ", \"required\": [", key);
		joint = ", ";
	}
	fprintf(out, "%s, \"properties\": {", *joint ? "]" : "");
	joint = "";
	for (const struct schema_row *child = row + 1; child < end; child++) {
		const char *key = schema_key_under(child, row);
		if (!key)
			continue;
		fprintf(out, "%s\n%*s\"%s\": ", joint, indent, "", key);
		json_row(out, child, indent + 2);
		joint = ",";
	}
	fputc('}', out);
}

/* One word of a list, by what YAML makes of it. */
static void json_word(FILE *out, const struct schema_row *row)
{
	static const char cpus[] = "\"anyOf\": [{\"type\": \"integer\", \"minimum\": 0}, "
				   "{\"type\": \"string\", \"pattern\": "
				   "\"^[0-9]+(-[0-9]+)?$\"}]";

	if (row->type == SCHEMA_CPUS)
		fputs(cpus, out);
	else if (row->words && row->max == 0)
		json_words(out, row);
	else
		fprintf(out, "\"type\": [\"string\", \"integer\"%s]",
			row->map_too ? ", \"object\"" : "");
}

static void json_one_or_list(FILE *out, const struct schema_row *row)
{
	fputs("\"anyOf\": [{", out);
	json_word(out, row);
	fputs("}, {\"type\": \"array\", \"items\": {", out);
	json_word(out, row);
	fputs("}}]", out);
}

static void json_list(FILE *out, const struct schema_row *row, int indent)
{
	if (row->single_too) {
		fputs("\"anyOf\": [", out);
		json_row(out, schema_element(row), indent);
		fputs(", {", out);
	}
	fputs("\"type\": \"array\", \"items\": ", out);
	json_row(out, schema_element(row), indent);
	fputs(row->single_too ? "}]" : "", out);
}

static void json_type(FILE *out, const struct schema_row *row, int indent)
{
	switch (row->type) {
	case SCHEMA_MAP: json_map(out, row, indent); break;
	case SCHEMA_NAMED:
		fputs("\"type\": \"object\", \"additionalProperties\": ", out);
		json_row(out, schema_element(row), indent);
		break;
	case SCHEMA_LIST: json_list(out, row, indent); break;
	case SCHEMA_UINT: json_uint(out, row); break;
	case SCHEMA_BOOL: fputs("\"type\": \"boolean\"", out); break;
	case SCHEMA_INT:
		fprintf(out, "\"type\": \"integer\", \"minimum\": %d, \"maximum\": %d",
			(int)row->min, (int)row->max);
		break;
	case SCHEMA_PROBABILITY:
		fputs("\"type\": \"number\", \"exclusiveMinimum\": 0, \"maximum\": 1", out);
		break;
	case SCHEMA_ENUM: json_words(out, row); break;
	case SCHEMA_PRIORITY:
	case SCHEMA_MARK:
	case SCHEMA_SPAN:
	case SCHEMA_NUMBER:
	case SCHEMA_SIZE:
	case SCHEMA_SKB_PRIORITY:
	case SCHEMA_REFERENCE:
	case SCHEMA_TABLE:
	case SCHEMA_PORT_RANGE: fputs("\"type\": [\"string\", \"integer\"]", out); break;
	case SCHEMA_ELEMENT: fputs("\"type\": [\"string\", \"integer\", \"array\"]", out); break;
	default:
		if (schema_is_words(row))
			json_one_or_list(out, row);
		else
			fputs("\"type\": \"string\"", out);
	}
}

static void json_row(FILE *out, const struct schema_row *row, int indent)
{
	bool or_map = row->map_too && row->type != SCHEMA_MAP;

	fputs("{\"description\": ", out);
	json_string(out, row->doc);
	if (row->fallback)
		json_default(out, row);
	fputs(or_map ? ", \"anyOf\": [{" : ", ", out);
	json_type(out, row, indent);
	if (or_map) {
		fputs("}, {", out);
		json_map(out, row, indent);
		fputs("}]", out);
	}
	fputc('}', out);
}

int conf_schema_json(FILE *out)
{
	fputs("{\"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n\"title\": "
	      "\"router.yaml\", ",
	      out);
	fputs("\"description\": ", out);
	json_string(out, schema_rows[0].doc);
	fputs(", ", out);
	json_type(out, &schema_rows[0], 2);
	fputs("}\n", out);
	return fflush(out) || ferror(out) ? -EIO : 0;
}
