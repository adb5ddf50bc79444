/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reasons in words for the operator: an errno, the capability that is missing, and what libbpf and
 * the kernel said. libbpf's print hook is one per process and quiet outside a capture. [control]
 */
#ifndef XSK_STEER_WHY_H
#define XSK_STEER_WHY_H

/* Fills why[STEER_WHY]; NULL is allowed. */
void steer_why(char *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same, followed by the errno (positive or negative) in words and, for EPERM, the capabilities
 * that this process lacks. Returns err as -errno. */
int steer_why_errno(char *why, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Between the two, libbpf's warnings are kept instead of printed. The end returns the most telling
 * one
 * ("" if there was none), valid until the next begin. */
void steer_capture_begin(void);
const char *steer_capture_end(void);

#endif
