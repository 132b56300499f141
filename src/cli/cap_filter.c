/* SPDX-License-Identifier: BSD-3-Clause */
/* libpcap's filters; see cap_filter.h. */
#include "cli/cap_filter.h"

#include <dlfcn.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { SNAP_ALL = 1 << 18 };

struct cap_filter {
	struct bpf_program prog;
	void *lib; /* owned */
	__typeof__(pcap_offline_filter) *passes;
	__typeof__(pcap_freecode) *freecode;
};

/* Debian's name for it, and everybody else's; it is one ABI.  0, or -1 with
 * *e, which has what each said: one may be there, and what it needs not. */
static int load(struct cap_filter *f, struct error *e)
{
	CLEANUP_FREE char *first = NULL;

	f->lib = dlopen("libpcap.so.0.8", RTLD_LAZY | RTLD_LOCAL);
	if (f->lib)
		return 0;
	first = strdup(dlerror());
	f->lib = dlopen("libpcap.so.1", RTLD_LAZY | RTLD_LOCAL);
	if (f->lib)
		return 0;
	return error_set(e, EXIT_FAILED,
			 "cap: a filter needs libpcap, which is not to be "
			 "loaded (%s; %s): install it, or capture without one",
			 first ? first : "", dlerror());
}

/* f->prog of text.  0, or -1 with *e. */
static int compile(struct cap_filter *f, const char *text, struct error *e)
{
	__typeof__(pcap_open_dead) *open_dead = dlsym(f->lib, "pcap_open_dead");
	__typeof__(pcap_compile) *comp = dlsym(f->lib, "pcap_compile");
	__typeof__(pcap_geterr) *geterr = dlsym(f->lib, "pcap_geterr");
	__typeof__(pcap_close) *done = dlsym(f->lib, "pcap_close");
	pcap_t *p;
	int r = 0;

	f->passes = dlsym(f->lib, "pcap_offline_filter");
	f->freecode = dlsym(f->lib, "pcap_freecode");
	if (!open_dead || !comp || !geterr || !done || !f->passes ||
	    !f->freecode)
		return error_set(e, EXIT_FAILED,
				 "cap: filter: this libpcap lacks what a "
				 "filter needs");
	p = open_dead(DLT_EN10MB, SNAP_ALL);
	if (!p)
		return error_errno(e, ENOMEM, "cap: filter");
	if (comp(p, &f->prog, text, 1, PCAP_NETMASK_UNKNOWN) < 0)
		r = error_set(e, EXIT_USAGE,
			      "cap: '%s' is no filter of libpcap: %s", text,
			      geterr(p));
	done(p);
	return r;
}

int cap_filter_new(const char *text, struct cap_filter **fp, struct error *e)
{
	struct cap_filter *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return error_errno(e, ENOMEM, "cap: filter");
	r = load(f, e);
	if (r == 0)
		r = compile(f, text, e);
	if (r == 0) {
		*fp = f;
		return 0;
	}
	if (f->lib)
		(void)dlclose(f->lib);
	free(f);
	return r;
}

bool cap_filter_passes(const struct cap_filter *f, const uint8_t *data,
		       uint32_t data_len, uint32_t frame_len)
{
	const struct pcap_pkthdr h = {.caplen = data_len, .len = frame_len};

	return f->passes(&f->prog, &h, data) != 0;
}

void cap_filter_free(struct cap_filter *f)
{
	if (!f)
		return;
	f->freecode(&f->prog);
	(void)dlclose(f->lib);
	free(f);
}
