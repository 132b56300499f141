/* SPDX-License-Identifier: BSD-3-Clause */
/* Settings of the kernel under /proc/sys, by names like net/ipv4/ip_forward
 * (slashes, for an interface's name may have a dot in it). */
#ifndef OS_SYSCTL_H
#define OS_SYSCTL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"

/* Whether it is a name below net/ that does not climb. */
bool sysctl_is_name(const char *name);
/* The value without its newline; a negative errno, -E2BIG if it is longer
 * than room - 1. */
MUST_USE int sysctl_get(const char *name, char *value, size_t room);
MUST_USE int sysctl_set(const char *name, const char *value);

#endif
