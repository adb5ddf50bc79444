/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules as text, in the file's words: `from: "@banned", proto: tcp, dport: [80, 443]` and `accept`
 * or `[{set-mark: 0x20}, accept]`. Two rules that say the same have the same text, and others do
 * not. [control]
 */
#ifndef ROUTER_NET_RULE_TEXT_H
#define ROUTER_NET_RULE_TEXT_H

#include <stdio.h>

#include "config/conf.h"

void rule_text_match(const struct conf_match *m, FILE *out); /* nothing, for any packet */
void rule_text_actions(const struct conf_rule *r, FILE *out);

#endif
