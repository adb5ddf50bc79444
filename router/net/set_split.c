/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elements and their parts: a range of addresses or ports is some prefixes, a concatenation of
 * ranges all combinations of theirs. [control]
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "router/net/set_internal.h"

/* ---- numbers of up to 128 bits and what stands in the words */

static unsigned __int128 number_of(const struct addr *a)
{
	unsigned bytes = addr_bits(a) / 8;
	unsigned __int128 n = 0;

	for (unsigned i = 0; i < bytes; i++)
		n = n << 8 | a->bytes[i];
	return n;
}

static void address_of(unsigned __int128 n, uint8_t family, struct addr *out)
{
	*out = (struct addr){ .family = family };
	for (unsigned i = addr_bits(out) / 8; i-- > 0; n >>= 8)
		out->bytes[i] = (uint8_t)n;
}

/* The last number of the block of so many free bits that n begins. */
static unsigned __int128 block_last(unsigned __int128 n, unsigned free_bits)
{
	return n |
	       (free_bits == 128 ? ~(unsigned __int128)0 : ((unsigned __int128)1 << free_bits) - 1);
}

/* ---- elements as the set keeps them */

static int normalise_field(const struct set *s, unsigned i, const struct conf_element_field *in,
			   struct conf_element_field *out)
{
	*out = *in;
	switch (s->type[i]) {
	case CONF_FIELD_ADDRESS:
	case CONF_FIELD_PREFIX:
		if ((in->first.family != AF_INET && in->first.family != AF_INET6) ||
		    in->last.family != in->first.family || addr_cmp(&in->first, &in->last) > 0)
			return -EINVAL;
		return s->type[i] == CONF_FIELD_ADDRESS && addr_cmp(&in->first, &in->last) ? -EINVAL
											   : 0;
	case CONF_FIELD_PORT: return in->low > in->high || in->high > UINT16_MAX ? -EINVAL : 0;
	case CONF_FIELD_INTERFACE:
		out->low = out->high = names_get(s->names, in->name);
		return out->low ? 0 : -ENOSPC;
	case CONF_FIELD_PROTO: return in->low != in->high || in->low > UINT8_MAX ? -EINVAL : 0;
	case CONF_FIELD_MARK: return in->low != in->high ? -EINVAL : 0;
	}
	return -EINVAL;
}

int set_normalise(const struct set *s, const struct conf_element *in, struct conf_element *out,
		  char *why, size_t size)
{
	*out = (struct conf_element){ .timeout_s = in->timeout_s };
	for (unsigned i = 0; i < s->ntypes; i++) {
		int err = normalise_field(s, i, &in->field[i], &out->field[i]);

		if (!err)
			continue;
		if (err == -ENOSPC)
			snprintf(why, size, "too many interface names");
		else
			snprintf(why, size, "field %u is not what the set has", i + 1);
		return err;
	}
	return 0;
}

unsigned set_flatten(const struct set *s, const struct conf_element *e, uint64_t word[SET_FLAT])
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->ntypes; i++) {
		const struct conf_element_field *f = &e->field[i];

		if (set_field_is_address(s->type[i])) {
			memcpy(&word[n], f->first.bytes, 16);
			memcpy(&word[n + 2], f->last.bytes, 16);
			word[n + 4] = f->first.family;
			n += 5;
		} else {
			word[n++] = (uint64_t)f->low << 32 | f->high;
		}
	}
	return n;
}

/* ---- into parts */

/* first..last as the fewest prefixes. */
static unsigned split_numbers(unsigned __int128 first, unsigned __int128 last, unsigned bits,
			      struct set_piece *out)
{
	unsigned n = 0;

	for (;; n++) {
		unsigned free_bits = 0;
		unsigned __int128 end;

		while (free_bits < bits && !(first >> free_bits & 1) &&
		       block_last(first, free_bits + 1) <= last)
			free_bits++;
		end = block_last(first, free_bits);
		memcpy(out[n].word, &first, sizeof(first));
		out[n].len = (uint8_t)(bits - free_bits);
		if (end >= last)
			return n + 1;
		first = end + 1;
	}
}

static unsigned split_addresses(const struct conf_element_field *f, struct set_piece *out)
{
	unsigned n =
		split_numbers(number_of(&f->first), number_of(&f->last), addr_bits(&f->first), out);

	for (unsigned i = 0; i < n; i++) {
		struct addr a;
		unsigned __int128 number;

		memcpy(&number, out[i].word, sizeof(number));
		address_of(number, f->first.family, &a);
		memcpy(out[i].word, a.bytes, sizeof(a.bytes));
	}
	return n;
}

int set_split(const struct set *s, const struct conf_element *e, struct set_split *out)
{
	memset(out->family, 0, sizeof(out->family));
	out->set = s;
	out->total = 1;
	for (unsigned i = 0; i < s->ntypes; i++) {
		const struct conf_element_field *f = &e->field[i];

		if (set_field_is_address(s->type[i])) {
			out->family[i] = f->first.family;
			out->n[i] = split_addresses(f, out->piece[i]);
		} else {
			out->n[i] = split_numbers(f->low, f->high, set_field_bits(s->type[i], 0),
						  out->piece[i]);
		}
		out->total *= out->n[i];
		if (out->total > SET_PARTS)
			return -E2BIG;
	}
	return 0;
}

void set_split_part(const struct set_split *sp, unsigned i, uint64_t word[SET_WORDS],
		    uint8_t len[CONF_FIELDS_MAX])
{
	const struct set *s = sp->set;

	memset(len, 0, CONF_FIELDS_MAX);
	for (unsigned f = 0; f < s->ntypes; f++) {
		const struct set_piece *p = &sp->piece[f][i % sp->n[f]];

		i /= sp->n[f];
		len[f] = p->len;
		memcpy(&word[s->word_at[f]], p->word,
		       set_field_is_address(s->type[f]) ? 16 : sizeof(uint64_t));
	}
}

/* ---- and back */

static void unsplit_field(enum conf_field type, uint8_t family, uint8_t len, const uint64_t word[],
			  struct conf_element_field *out)
{
	unsigned free_bits = set_field_bits(type, family) - len;

	if (set_field_is_address(type)) {
		out->first.family = family;
		memcpy(out->first.bytes, word, sizeof(out->first.bytes));
		address_of(block_last(number_of(&out->first), free_bits), family, &out->last);
	} else {
		out->low = (uint32_t)word[0];
		out->high = (uint32_t)block_last(word[0], free_bits);
	}
}

void set_unsplit(const struct set *s, uint32_t part, struct conf_element *out)
{
	const struct set_part *x = set_part(s, part);
	const struct set_shape *h = &s->shape[x->info & SET_SHAPE_BITS];

	*out = (struct conf_element){ 0 };
	for (unsigned i = 0; i < s->ntypes; i++)
		unsplit_field(s->type[i], h->family[i], h->len[i], &x->word[s->word_at[i]],
			      &out->field[i]);
}
