/* SPDX-License-Identifier: BSD-3-Clause */
/* A guard against files that shrink, see sigbus.h. */
/* #syscalls: rt_sigaction rt_sigreturn mmap */
#include "os/sigbus.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>

enum { PAGE = 4096 }; /* the kernel may have larger ones: then mmap says no */

static void on_sigbus(int signo, siginfo_t *si, void *context)
{
	uintptr_t at = (uintptr_t)si->si_addr & ~(uintptr_t)(PAGE - 1);
	int saved = errno;

	(void)context;
	/* Any other kind, or a page of another size: die of the next try. */
	if (si->si_code != BUS_ADRERR ||
	    mmap((void *)at, PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		(void)signal(signo, SIG_DFL);
	errno = saved;
}

int sigbus_guard(void)
{
	struct sigaction sa = {.sa_sigaction = on_sigbus,
			       .sa_flags = SA_SIGINFO};

	sigemptyset(&sa.sa_mask);
	return sigaction(SIGBUS, &sa, NULL) < 0 ? -errno : 0;
}
