/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "router/net/counters.h"
#include "router/net/dp.h"

const struct drop_info drop_info[DROP__COUNT] = {
#define X(id, name, stage, text) [DROP_##id] = { name, stage, text },
	DROP_REASONS(X)
#undef X
};

const struct drop_info dp_event_info[EVENT__COUNT] = {
#define X(id, name, text) [EVENT_##id] = { name, "event", text },
	DP_EVENTS(X)
#undef X
};
