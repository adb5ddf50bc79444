/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "router/lib/rcu.h"

#ifdef __SANITIZE_THREAD__
char rcu_grace;
#else
typedef int rcu_nothing; /* a translation unit may not be empty */
#endif
