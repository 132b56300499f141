/* SPDX-License-Identifier: BSD-3-Clause */
/* A guest's memory, see vmem.h. */
/* #syscalls: mmap munmap madvise */
#include "netdev/vmem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef __SANITIZE_THREAD__
enum { OWN_KERNEL = 64 << 20 };

void AnnotateBenignRaceSized(const char *file, int line,
			     const volatile void *at, unsigned long len,
			     const char *what);

/* A page that one of our threads has read for the guest's one queue may be what
 * another writes for the other: the guest has said so to both, by ways that the
 * sanitizer does not see.  The few pages of a test's guest keep their purpose,
 * and are watched. */
static void has_own_ways(const void *at, uint64_t len)
{
	if (len >= OWN_KERNEL)
		AnnotateBenignRaceSized(__FILE__, __LINE__, at, len,
					"a guest's memory");
}
#else
static void has_own_ways(const void *at, uint64_t len)
{
	(void)at;
	(void)len;
}
#endif

static bool wraps(uint64_t from, uint64_t len)
{
	return from + len < from;
}

static bool is_apart(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a + a_len <= b || b + b_len <= a;
}

static bool fits(const struct vmem *m, const struct vmem_spec *s)
{
	if (s->size == 0 || s->size > SIZE_MAX - s->offset ||
	    wraps(s->gpa, s->size) || wraps(s->uva, s->size) ||
	    wraps(s->offset, s->size))
		return false;
	for (unsigned i = 0; i < m->n; i++) {
		const struct vmem_spec *o = &m->region[i].spec;

		if (!is_apart(s->gpa, s->size, o->gpa, o->size) ||
		    !is_apart(s->uva, s->size, o->uva, o->size))
			return false;
	}
	return true;
}

int vmem_add(struct vmem *m, const struct vmem_spec *s, int fd)
{
	struct vmem_region *grown, *r;
	unsigned at = m->n;
	void *map;

	if (!fits(m, s))
		return -EINVAL;
	if (m->n >= VMEM_SLOTS)
		return -ENOSPC;
	grown = realloc(m->region, (m->n + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	m->region = grown;
	/* From the file's start: an offset into huge pages need not be a
	 * multiple of theirs. */
	map = mmap(NULL, s->offset + s->size, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	has_own_ways(map, s->offset + s->size);
	/* A core dump of ours is not to hold the guest's memory. */
	(void)madvise(map, s->offset + s->size, MADV_DONTDUMP);
	while (at > 0 && m->region[at - 1].spec.gpa > s->gpa)
		at--;
	r = &m->region[at];
	memmove(r + 1, r, (m->n - at) * sizeof(*r));
	*r = (struct vmem_region){
		.spec = *s,
		.at = (uint8_t *)map + s->offset,
		.map = map,
		.len = s->offset + s->size,
	};
	m->n++;
	return 0;
}

static bool is_at(const struct vmem_region *r, const struct vmem_spec *s)
{
	return r->spec.gpa == s->gpa && r->spec.size == s->size &&
	       r->spec.uva == s->uva;
}

bool vmem_has(const struct vmem *m, const struct vmem_spec *s)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct vmem_region *r = &m->region[i];

		if (is_at(r, s) && r->spec.offset == s->offset)
			return true;
	}
	return false;
}

int vmem_del(struct vmem *m, const struct vmem_spec *s)
{
	for (unsigned i = 0; i < m->n; i++) {
		struct vmem_region *r = &m->region[i];

		if (!is_at(r, s))
			continue;
		munmap(r->map, r->len);
		m->n--;
		memmove(r, r + 1, (m->n - i) * sizeof(*r));
		return 0;
	}
	return -ENOENT;
}

void vmem_clear(struct vmem *m)
{
	for (unsigned i = 0; i < m->n; i++)
		munmap(m->region[i].map, m->region[i].len);
	free(m->region);
	*m = (struct vmem){0};
}

/* Index of the region that holds gpa, m->n if none does. */
static unsigned find(const struct vmem *m, uint64_t gpa)
{
	unsigned lo = 0, hi = m->n;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;
		const struct vmem_spec *s = &m->region[mid].spec;

		if (gpa < s->gpa)
			hi = mid;
		else if (gpa - s->gpa >= s->size)
			lo = mid + 1;
		else
			return mid;
	}
	return m->n;
}

uint8_t *vmem_gpa(const struct vmem *m, uint64_t gpa, uint64_t *lenp,
		  unsigned *hitp)
{
	unsigned i = *hitp;
	const struct vmem_region *r;
	const struct vmem_spec *s = i < m->n ? &m->region[i].spec : NULL;

	if (!s || gpa - s->gpa >= s->size) {
		i = find(m, gpa);
		if (i == m->n)
			return NULL;
		*hitp = i;
	}
	r = &m->region[i];
	*lenp = r->spec.size - (gpa - r->spec.gpa);
	return r->at + (gpa - r->spec.gpa);
}

void *vmem_uva(const struct vmem *m, uint64_t uva, uint64_t len)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct vmem_region *r = &m->region[i];
		uint64_t off = uva - r->spec.uva;

		if (off < r->spec.size && len <= r->spec.size - off)
			return r->at + off;
	}
	return NULL;
}

uint64_t vmem_gpa_of(const struct vmem *m, const void *p)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct vmem_region *r = &m->region[i];
		uint64_t off = (uint64_t)((const uint8_t *)p - r->at);

		if ((const uint8_t *)p >= r->at && off < r->spec.size)
			return r->spec.gpa + off;
	}
	return UINT64_MAX;
}
