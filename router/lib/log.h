/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages for people, on stderr: with the <N> priority prefix of sd-daemon(3) when stderr goes to
 * the journal (JOURNAL_STREAM) or when asked, plain otherwise. Control code logs once, where it
 * decides; packet code counts instead. [control, and workers only while they start or stop] */
#ifndef ROUTER_LIB_LOG_H
#define ROUTER_LIB_LOG_H

enum log_level { LOG_ERROR = 3, LOG_WARNING = 4, LOG_NOTICE = 5, LOG_INFORM = 6, LOG_DETAIL = 7 };

void log_init(enum log_level most); /* may be called again after a reload */
void log_printf(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
enum log_level log_level_get(void);

#define log_err(...)	log_printf(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)	log_printf(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) log_printf(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)	log_printf(LOG_INFORM, __VA_ARGS__)
#define log_debug(...)	log_printf(LOG_DETAIL, __VA_ARGS__)

#endif
