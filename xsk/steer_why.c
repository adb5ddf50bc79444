// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reasons in words: see steer_why.h.
 *
 * libbpf reports by a print hook, a line or so a call. The first warning of a failed operation
 * names what failed, later ones repeat it or dump the verifier's log; but a line with the kernel's
 * own message, which netlink's extended acknowledgement carries, beats both.
 */
#include "xsk/steer_why.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "xsk/steer.h"

#define CAPTURE_LINE 160

static const char kernel_says[] = "Kernel error message: ";

static struct {
	char line[CAPTURE_LINE];
	bool from_kernel;
	libbpf_print_fn_t before;
} capture;

void steer_why(char *why, const char *fmt, ...)
{
	va_list ap;

	if (!why)
		return;
	va_start(ap, fmt);
	vsnprintf(why, STEER_WHY, fmt, ap);
	va_end(ap);
}

static bool has_capability(unsigned cap)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

	if (syscall(SYS_capget, &head, data))
		return true; /* not known to be missing */
	return data[CAP_TO_INDEX(cap)].effective & CAP_TO_MASK(cap);
}

/* CAP_SYS_ADMIN implies CAP_BPF since the latter was split from it. */
static const char *missing_capabilities(void)
{
	bool bpf = has_capability(CAP_BPF) || has_capability(CAP_SYS_ADMIN);
	bool net = has_capability(CAP_NET_ADMIN);

	if (bpf)
		return net ? "" : " (CAP_NET_ADMIN is missing)";
	return net ? " (CAP_BPF is missing)" : " (CAP_BPF and CAP_NET_ADMIN are missing)";
}

int steer_why_errno(char *why, int err, const char *fmt, ...)
{
	va_list ap;
	int n;

	err = err < 0 ? -err : err;
	if (!why)
		return -err;
	va_start(ap, fmt);
	n = vsnprintf(why, STEER_WHY, fmt, ap);
	va_end(ap);
	if (n >= 0 && n < STEER_WHY)
		snprintf(why + n, STEER_WHY - n, ": %s%s", strerror(err),
			 err == EPERM ? missing_capabilities() : "");
	return -err;
}

static void keep(const char *text)
{
	const char *said = strstr(text, kernel_says);

	if (capture.from_kernel || (capture.line[0] && !said))
		return;
	capture.from_kernel = said;
	if (said)
		text = said + strlen(kernel_says);
	else if (!strncmp(text, "libbpf: ", 8))
		text += 8;
	snprintf(capture.line, sizeof(capture.line), "%.*s", (int)strcspn(text, "\n"), text);
}

static int __attribute__((format(printf, 2, 0)))
print_into_capture(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char text[2 * CAPTURE_LINE];

	if (level == LIBBPF_WARN) {
		vsnprintf(text, sizeof(text), fmt, ap);
		keep(text);
	}
	return 0;
}

void steer_capture_begin(void)
{
	capture.line[0] = '\0';
	capture.from_kernel = false;
	capture.before = libbpf_set_print(print_into_capture);
}

const char *steer_capture_end(void)
{
	libbpf_set_print(capture.before);
	return capture.line;
}
