// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How netem's delays are distributed; see netem.h.
 *
 * A distribution is a table of its quantiles: an evenly spread roll picks one of them. Shapes are
 * those that iproute2 ships: the normal one; Pareto's with exponent 3, cut at four deviations;
 * a quarter of the first and three of the second. Here each has mean 0 and deviation 1, so that
 * delay and jitter are what they say.
 */
#include <math.h>

#include "router/net/qdisc/netem.h"

#define PARETO_EXPONENT	 3
#define PARETO_MEAN	 1.5  /* of that exponent; the smallest value is 1 */
#define PARETO_DEVIATION 0.75 /* as iproute2 takes it to be */
#define CUT		 4    /* deviations */

/* The middle of the i-th part. */
static double probability(unsigned i)
{
	return (i + 0.5) / NETEM_DIST_SIZE;
}

/* By Newton's method, from the quantile before. */
static double normal_quantile(double p, double x)
{
	double step;

	do {
		step = (0.5 * erfc(-x / M_SQRT2) - p) / (exp(-x * x / 2) / sqrt(2 * M_PI));
		x -= step;
	} while (fabs(step) > 1e-9);
	return x;
}

static void normal_fill(double *v)
{
	double x = -CUT;

	for (unsigned i = 0; i < NETEM_DIST_SIZE / 2; i++) {
		x = normal_quantile(probability(i), x);
		v[i] = x;
		v[NETEM_DIST_SIZE - 1 - i] = -x;
	}
}

static double pareto_quantile(double p)
{
	double x = (pow(1 - p, -1.0 / PARETO_EXPONENT) - PARETO_MEAN) / PARETO_DEVIATION;

	return x < CUT ? x : CUT;
}

static void standardise(double *v)
{
	double mean = 0, square = 0;

	for (unsigned i = 0; i < NETEM_DIST_SIZE; i++)
		mean += v[i] / NETEM_DIST_SIZE;
	for (unsigned i = 0; i < NETEM_DIST_SIZE; i++)
		square += (v[i] - mean) * (v[i] - mean) / NETEM_DIST_SIZE;
	for (unsigned i = 0; i < NETEM_DIST_SIZE; i++)
		v[i] = (v[i] - mean) / sqrt(square);
}

static void fill(enum conf_distribution kind, int32_t *table)
{
	double normal = kind == CONF_DIST_NORMAL ? 1 : kind == CONF_DIST_PARETO ? 0 : 0.25;
	static double v[NETEM_DIST_SIZE];

	normal_fill(v);
	for (unsigned i = 0; i < NETEM_DIST_SIZE; i++)
		v[i] = normal * v[i] + (1 - normal) * pareto_quantile(probability(i));
	standardise(v);
	for (unsigned i = 0; i < NETEM_DIST_SIZE; i++)
		table[i] = (int32_t)lrint(v[i] * NETEM_DIST_SCALE);
}

const int32_t *netem_dist(enum conf_distribution kind)
{
	static int32_t tables[CONF_DIST_PARETONORMAL][NETEM_DIST_SIZE];
	int32_t *table = kind == CONF_DIST_UNIFORM ? NULL : tables[kind - 1];

	if (table && !table[0])
		fill(kind, table);
	return table;
}

int64_t netem_dist_delay(const int32_t *dist, int64_t mu, int64_t sigma, uint32_t roll)
{
	if (dist)
		return mu + sigma * dist[roll % NETEM_DIST_SIZE] / NETEM_DIST_SCALE;
	return mu - sigma + (int64_t)((unsigned __int128)roll * (2 * (uint64_t)sigma + 1) >> 32);
}
