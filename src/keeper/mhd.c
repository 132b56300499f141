/* SPDX-License-Identifier: BSD-3-Clause */
/* libmicrohttpd as it is needed; see mhd.h. */
#include "keeper/mhd.h"

#include <dlfcn.h>

int mhd_load(struct mhd *m, struct error *e)
{
	void *lib = dlopen("libmicrohttpd.so.12",
			   RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

	if (!lib)
		return error_set(
			e, EXIT_FAILED,
			"HTTP, by which a network is controlled, needs "
			"libmicrohttpd, which is not to be loaded "
			"(%s): install it",
			dlerror());
#define MHD_LOOK_UP(name)                                                      \
	m->name = (__typeof__(m->name))dlsym(lib, "MHD_" #name);               \
	if (!m->name)                                                          \
		return error_set(e, EXIT_FAILED, "libmicrohttpd: %s",          \
				 dlerror());
	MHD_FUNCTIONS(MHD_LOOK_UP)
#undef MHD_LOOK_UP
	return 0;
}
