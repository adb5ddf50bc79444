// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Values that are one word or a list of words: addresses, ports, names, protocols, ICMP types,
 * bits, CPUs. Every type has a function that adds a word to a record and one that gives the words
 * back. Some begin with "!", which then stands before each word of a list, or are "@" and the name
 * of a set, which then stands alone.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/text.h"
#include "config/value_parts.h"

enum { ICMP_MAX = 256 }; /* types in a rule */

/* Room for one more element behind the n there are. */
static void *grow(void *array, unsigned n, size_t size)
{
	void **place = array;
	void *old;

	memcpy(&old, place, sizeof(old));
	if (n == 0 || (n & (n - 1)) == 0) { /* it is full whenever n is a power of two */
		void *more = realloc(old, (n ? 2 * (size_t)n : 1) * size);
		if (!more)
			return NULL;
		memcpy(place, &more, sizeof(more));
		old = more;
	}
	return memset((char *)old + n * size, 0, size);
}

static unsigned *count_of(const struct schema_row *row, void *record)
{
	return (unsigned *)((char *)record + row->count_at);
}

static unsigned count(const struct schema_row *row, const void *record)
{
	return *(const unsigned *)((const char *)record + row->count_at);
}

/* The array that a row's field points to. */
static const void *array_of(const struct schema_row *row, const void *record)
{
	const void *array;

	memcpy(&array, (const char *)record + row->at, sizeof(array));
	return array;
}

static void *append(const struct schema_row *row, void *record)
{
	unsigned *n = count_of(row, record);
	void *place = grow((char *)record + row->at, *n, row->size);

	if (place)
		++*n;
	return place;
}

/* ---- "!" and "@" */

/* Takes "!" and "@set" off a word. 1: it was a set, and is stored; 0: *text is the rest. `n` words
 * were there before it. */
static int take_signs(const char **text, bool *negate, char set[CONF_NAME], unsigned n,
		      struct value_error *e)
{
	bool bang = *text[0] == '!', first = n == 0 && !set[0];
	const char *s = *text + bang;

	s += strspn(s, " ");
	if (!first && bang != *negate) {
		value_help(e, "put ! before each of the list, which then means none of them");
		return value_wrong(e, "words with and without ! in one list");
	}
	if (!first && (s[0] == '@' || set[0]))
		return value_wrong(e, "a set stands alone, not in a list");
	*negate = bang;
	*text = s;
	if (s[0] != '@')
		return 0;
	return value_name(s + 1, set, e) < 0 ? -EINVAL : 1;
}

static char *put_bang(bool negate, char *buf)
{
	if (negate)
		*buf++ = '!';
	return buf;
}

/* Word 0 of a match on a set. */
static bool set_word(bool negate, const char *set, unsigned index, char buf[VALUE_TEXT_MAX])
{
	if (index > 0)
		return false;
	sprintf(put_bang(negate, buf), "@%s", set);
	return true;
}

/* ---- addresses */

static int add_addresses(const struct schema_row *row, const char *text, void *record,
			 struct value_error *e)
{
	struct conf_addresses *a = (void *)((char *)record + row->at);
	int taken = take_signs(&text, &a->negate, a->set, a->nranges, e);
	struct conf_range r = { 0 };

	if (taken)
		return taken < 0 ? taken : 0;
	int err = value_range(text, &r, e);
	if (err)
		return err;
	struct conf_range *place = grow(&a->ranges, a->nranges, sizeof(*place));
	if (!place)
		return -ENOMEM;
	*place = r;
	a->nranges++;
	return 0;
}

static bool addresses_word(const struct schema_row *row, const void *record, unsigned index,
			   char buf[VALUE_TEXT_MAX])
{
	const struct conf_addresses *a = (const void *)((const char *)record + row->at);

	if (a->set[0])
		return set_word(a->negate, a->set, index, buf);
	if (index >= a->nranges)
		return false;
	value_range_format(&a->ranges[index], put_bang(a->negate, buf));
	return true;
}

static int add_range(const struct schema_row *row, const char *text, void *record,
		     struct value_error *e)
{
	struct conf_range r = { 0 };
	int err = value_range(text, &r, e);

	if (err)
		return err;
	struct conf_range *place = append(row, record);
	if (!place)
		return -ENOMEM;
	*place = r;
	return 0;
}

static bool range_word(const struct schema_row *row, const void *record, unsigned index,
		       char buf[VALUE_TEXT_MAX])
{
	const struct conf_range *ranges = array_of(row, record);

	if (index >= count(row, record))
		return false;
	value_range_format(&ranges[index], buf);
	return true;
}

/* ---- ports */

static int add_ports(const struct schema_row *row, const char *text, void *record,
		     struct value_error *e)
{
	struct conf_ports *p = (void *)((char *)record + row->at);
	int taken = take_signs(&text, &p->negate, p->set, p->nranges, e);
	struct conf_port_range r;

	if (taken)
		return taken < 0 ? taken : 0;
	int err = value_ports(text, &r, e);
	if (err)
		return err;
	struct conf_port_range *place = grow(&p->ranges, p->nranges, sizeof(*place));
	if (!place)
		return -ENOMEM;
	*place = r;
	p->nranges++;
	return 0;
}

static bool ports_word(const struct schema_row *row, const void *record, unsigned index,
		       char buf[VALUE_TEXT_MAX])
{
	const struct conf_ports *p = (const void *)((const char *)record + row->at);

	if (p->set[0])
		return set_word(p->negate, p->set, index, buf);
	if (index >= p->nranges)
		return false;
	value_ports_format(&p->ranges[index], put_bang(p->negate, buf));
	return true;
}

/* ---- names of interfaces and zones: whether they exist is check_rules.c's to say */

static int check_reference(const char *text, struct value_error *e)
{
	char word[TEXT_QUOTE_MAX];
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		if (!isgraph((unsigned char)text[i]))
			n = 0;
	if (n == 0 || n >= CONF_NAME)
		return value_wrong(e, "%s cannot be the name of an interface or a zone",
				   text_quote(text, word));
	return 0;
}

static int add_names(const struct schema_row *row, const char *text, void *record,
		     struct value_error *e)
{
	struct conf_names *names = (void *)((char *)record + row->at);
	int taken = take_signs(&text, &names->negate, names->set, names->nnames, e);

	if (taken)
		return taken < 0 ? taken : 0;
	int err = check_reference(text, e);
	if (err)
		return err;
	char *place = grow(&names->names, names->nnames, CONF_NAME);
	if (!place)
		return -ENOMEM;
	strcpy(place, text);
	names->nnames++;
	return 0;
}

static bool names_word(const struct schema_row *row, const void *record, unsigned index,
		       char buf[VALUE_TEXT_MAX])
{
	const struct conf_names *names = (const void *)((const char *)record + row->at);

	if (names->set[0])
		return set_word(names->negate, names->set, index, buf);
	if (index >= names->nnames)
		return false;
	strcpy(put_bang(names->negate, buf), names->names[index]);
	return true;
}

static int add_name(const struct schema_row *row, const char *text, void *record,
		    struct value_error *e)
{
	int err = check_reference(text, e);

	if (err)
		return err;
	char *place = append(row, record);
	if (!place)
		return -ENOMEM;
	strcpy(place, text);
	return 0;
}

static bool name_word(const struct schema_row *row, const void *record, unsigned index,
		      char buf[VALUE_TEXT_MAX])
{
	const char *names = array_of(row, record);

	if (index >= count(row, record))
		return false;
	strcpy(buf, names + index * (size_t)CONF_NAME);
	return true;
}

/* ---- protocols, ICMP types */

/* A word of the row, or a number up to its max. */
static int word_or_number(const struct schema_row *row, const char *text, unsigned *value,
			  struct value_error *e)
{
	char word[TEXT_QUOTE_MAX], words[160];
	uint64_t n;

	if (value_find_word(row, text, value))
		return 0;
	if (row->max == 0 || !value_digits(text, &n)) {
		value_suggest_word(row, text, e);
		if (row->type == SCHEMA_ICMP || row->type == SCHEMA_ICMPV6)
			return value_wrong(e, "%s is not an ICMP type", text_quote(text, word));
		return value_wrong(e, "%s is not %s%s", text_quote(text, word),
				   schema_words(row, words, sizeof(words)),
				   row->max ? ", nor a number" : "");
	}
	if (n > row->max)
		return value_wrong(e, "%s is out of range, 0 to %u", text, row->max);
	*value = (unsigned)n;
	return 0;
}

static int add_proto(const struct schema_row *row, const char *text, void *record,
		     struct value_error *e)
{
	unsigned proto;
	int err = word_or_number(row, text, &proto, e);

	if (err || proto > 255) /* any */
		return err;
	uint8_t *place = append(row, record);
	if (!place)
		return -ENOMEM;
	*place = (uint8_t)proto;
	return 0;
}

static void word_of_number(const struct schema_row *row, unsigned n, char buf[VALUE_TEXT_MAX])
{
	const char *word = value_word_of(row, n);

	if (word)
		strcpy(buf, word);
	else
		sprintf(buf, "%u", n);
}

static bool proto_word(const struct schema_row *row, const void *record, unsigned index,
		       char buf[VALUE_TEXT_MAX])
{
	const uint8_t *protos = array_of(row, record);

	if (index >= count(row, record))
		return false;
	word_of_number(row, protos[index], buf);
	return true;
}

static uint8_t icmp_family(const struct schema_row *row)
{
	return row->type == SCHEMA_ICMP ? AF_INET : AF_INET6;
}

/* "echo-request", "8", "destination-unreachable/4". */
static int add_icmp(const struct schema_row *row, const char *text, void *record,
		    struct value_error *e)
{
	const char *slash = strchr(text, '/');
	char type[40] = "", word[TEXT_QUOTE_MAX];
	unsigned value;
	uint64_t code = 0;

	if (slash && slash - text < (ptrdiff_t)sizeof(type))
		memcpy(type, text, (size_t)(slash - text));
	int err = word_or_number(row, slash ? type : text, &value, e);
	if (err)
		return err;
	if (slash && (!value_digits(slash + 1, &code) || code > 255))
		return value_wrong(e, "%s has no code from 0 to 255", text_quote(text, word));
	if (*count_of(row, record) == ICMP_MAX)
		return value_wrong(e, "more than %d", ICMP_MAX);
	struct conf_icmp *place = append(row, record);
	if (!place)
		return -ENOMEM;
	*place = (struct conf_icmp){ icmp_family(row), (uint8_t)value,
				     slash ? (int16_t)code : (int16_t)-1 };
	return 0;
}

/* The list holds both families' types; each row has its own. */
static bool icmp_word(const struct schema_row *row, const void *record, unsigned index,
		      char buf[VALUE_TEXT_MAX])
{
	const struct conf_icmp *icmp = array_of(row, record);

	for (unsigned i = 0; i < count(row, record); i++) {
		if (icmp[i].family != icmp_family(row) || index-- > 0)
			continue;
		word_of_number(row, icmp[i].type, buf);
		if (icmp[i].code >= 0)
			sprintf(buf + strlen(buf), "/%d", icmp[i].code);
		return true;
	}
	return false;
}

/* ---- bits of a number */

static int add_bit(const struct schema_row *row, const char *text, void *record,
		   struct value_error *e)
{
	char *field = (char *)record + row->at;
	unsigned bit;
	int err = word_or_number(row, text, &bit, e);

	if (err)
		return err;
	if (row->size == 1)
		*(uint8_t *)field |= (uint8_t)(1u << bit);
	else if (row->size == 4)
		*(uint32_t *)field |= (uint32_t)1 << bit;
	else
		*(uint64_t *)field |= (uint64_t)1 << bit;
	return 0;
}

static bool bit_word(const struct schema_row *row, const void *record, unsigned index,
		     char buf[VALUE_TEXT_MAX])
{
	const char *field = (const char *)record + row->at;
	uint64_t bits = row->size == 1	 ? *(const uint8_t *)field
			: row->size == 4 ? *(const uint32_t *)field
					 : *(const uint64_t *)field;

	for (unsigned bit = 0; bit < 64; bit++) {
		if (!(bits >> bit & 1) || index-- > 0)
			continue;
		word_of_number(row, bit, buf);
		return true;
	}
	return false;
}

/* ---- words in order */

static int add_word(const struct schema_row *row, const char *text, void *record,
		    struct value_error *e)
{
	unsigned *values = (unsigned *)((char *)record + row->at), *n = count_of(row, record);
	unsigned value;
	int err = word_or_number(row, text, &value, e);

	if (err)
		return err;
	if (*n == CONF_FIELDS_MAX)
		return value_wrong(e, "more than %d", CONF_FIELDS_MAX);
	values[(*n)++] = value;
	return 0;
}

static bool word_word(const struct schema_row *row, const void *record, unsigned index,
		      char buf[VALUE_TEXT_MAX])
{
	const unsigned *values = (const unsigned *)((const char *)record + row->at);

	if (index >= count(row, record))
		return false;
	word_of_number(row, values[index], buf);
	return true;
}

/* ---- CPUs */

static int add_cpus(const struct schema_row *row, const char *text, void *record,
		    struct value_error *e)
{
	unsigned *cpus = (unsigned *)((char *)record + row->at), *ncpus = count_of(row, record);
	char first[16] = "", word[TEXT_QUOTE_MAX];
	const char *dash = strchr(text, '-');
	uint64_t from, to;

	if (dash && dash - text < (ptrdiff_t)sizeof(first))
		memcpy(first, text, (size_t)(dash - text));
	if (!value_digits(dash ? first : text, &from) ||
	    !value_digits(dash ? dash + 1 : text, &to)) {
		if (strchr(text, ','))
			value_help(e, "write a list, like [0, 2-3]");
		return value_wrong(e, "%s is not a CPU or a range of CPUs like 2-5",
				   text_quote(text, word));
	}
	if (to < from)
		return value_wrong(e, "range %s is upside down", text_quote(text, word));
	if (to > row->max)
		return value_wrong(e, "%s is out of range, CPU 0 to %u", text_quote(text, word),
				   row->max);
	if (to - from >= CONF_CPUS_MAX - *ncpus)
		return value_wrong(e, "more than %d CPUs", CONF_CPUS_MAX);
	for (uint64_t cpu = from; cpu <= to; cpu++)
		for (unsigned i = 0; i < *ncpus; i++)
			if (cpus[i] == cpu)
				return value_wrong(e, "CPU %u is named twice", cpus[i]);
	for (uint64_t cpu = from; cpu <= to; cpu++)
		cpus[(*ncpus)++] = (unsigned)cpu;
	return 0;
}

static bool cpu_word(const struct schema_row *row, const void *record, unsigned index,
		     char buf[VALUE_TEXT_MAX])
{
	const unsigned *cpus = (const unsigned *)((const char *)record + row->at);

	if (index >= count(row, record))
		return false;
	sprintf(buf, "%u", cpus[index]);
	return true;
}

static const struct {
	int (*add)(const struct schema_row *, const char *, void *, struct value_error *);
	bool (*word)(const struct schema_row *, const void *, unsigned, char[VALUE_TEXT_MAX]);
} lists[] = {
	[SCHEMA_CPUS] = { add_cpus, cpu_word },
	[SCHEMA_ADDRESSES] = { add_addresses, addresses_word },
	[SCHEMA_RANGES] = { add_range, range_word },
	[SCHEMA_PORTS] = { add_ports, ports_word },
	[SCHEMA_NAMES] = { add_names, names_word },
	[SCHEMA_NAME_LIST] = { add_name, name_word },
	[SCHEMA_PROTOS] = { add_proto, proto_word },
	[SCHEMA_ICMP] = { add_icmp, icmp_word },
	[SCHEMA_ICMPV6] = { add_icmp, icmp_word },
	[SCHEMA_BITS] = { add_bit, bit_word },
	[SCHEMA_WORDS] = { add_word, word_word },
	[SCHEMA_PERCENTS] = { value_add_percent, value_percent_word },
	[SCHEMA_NUMBERS] = { value_add_number, value_number_word },
};

int value_add(const struct schema_row *row, const char *text, void *record, struct value_error *e)
{
	*e = (struct value_error){ 0 };
	return lists[row->type].add(row, text, record, e);
}

bool value_word(const struct schema_row *row, const void *record, unsigned index,
		char buf[VALUE_TEXT_MAX])
{
	buf[0] = '\0';
	return lists[row->type].word(row, record, index, buf);
}
