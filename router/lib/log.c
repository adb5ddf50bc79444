/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages on stderr (router/lib/log.h).
 *
 * A message is formatted into one buffer and leaves by one write(2), so that lines of different
 * threads never mix and nothing is held back in a stdio buffer when the process dies. The priority
 * prefix is chosen once, by log_init(): before that call the default applies (no prefix,
 * LOG_INFORM).
 */
#include "router/lib/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_LINE_MAX 1024

static atomic_int log_most = LOG_INFORM;
static atomic_bool log_prefixed;

/* JOURNAL_STREAM names the device and inode of the socket that systemd gave us; a stderr that was
 * redirected since then is not the journal (systemd.exec(5)). ROUTER_LOG_PRIORITY asks for it
 * anyway. */
static bool stderr_wants_priority(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (getenv("ROUTER_LOG_PRIORITY"))
		return true;
	if (!stream || sscanf(stream, "%llu:%llu", &dev, &ino) != 2)
		return false;
	return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

void log_init(enum log_level most)
{
	atomic_store_explicit(&log_prefixed, stderr_wants_priority(), memory_order_relaxed);
	atomic_store_explicit(&log_most, (int)most, memory_order_relaxed);
}

enum log_level log_level_get(void)
{
	return (enum log_level)atomic_load_explicit(&log_most, memory_order_relaxed);
}

static void stderr_write(const char *line, size_t len)
{
	while (len) {
		ssize_t n = write(STDERR_FILENO, line, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* nobody is left to tell */
		line += n;
		len -= (size_t)n;
	}
}

void log_printf(enum log_level level, const char *fmt, ...)
{
	int saved_errno = errno;
	char line[LOG_LINE_MAX];
	size_t used = 0;
	va_list ap;
	int n;

	if (level > log_level_get())
		return;
	if (atomic_load_explicit(&log_prefixed, memory_order_relaxed))
		used = (size_t)snprintf(line, sizeof(line), "<%d>", (int)level);
	errno = saved_errno; /* for %m */
	va_start(ap, fmt);
	n = vsnprintf(line + used, sizeof(line) - used, fmt, ap);
	va_end(ap);
	if (n > 0)
		used += (size_t)n < sizeof(line) - used ? (size_t)n : sizeof(line) - used - 1;
	if (used && line[used - 1] == '\n')
		used--;
	line[used++] = '\n';
	stderr_write(line, used);
	errno = saved_errno;
}
