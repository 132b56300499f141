/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Objects from one reserved mapping; see slab.h.
 * #syscalls: mmap munmap madvise
 */
#include "base/slab.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* Under AddressSanitizer a free object may not be touched. */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define SLAB_POISON
#endif
#endif
#if defined(SLAB_POISON) || defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define poison(p, len)	 __asan_poison_memory_region(p, len)
#define unpoison(p, len) __asan_unpoison_memory_region(p, len)
#else
#define poison(p, len)	 ((void)0)
#define unpoison(p, len) ((void)0)
#endif

enum { ALIGN = 16 };

int slab_init(struct slab *s, size_t obj_len, unsigned n_max)
{
	size_t len, total;
	void *mem;

	*s = SLAB_NULL;
	if (__builtin_add_overflow(obj_len, (size_t)(ALIGN - 1), &len))
		return -ENOMEM;
	len &= ~(size_t)(ALIGN - 1);
	if (!len || !n_max || __builtin_mul_overflow(len, n_max, &total))
		return -ENOMEM;
	mem = mmap(NULL, total, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mem == MAP_FAILED)
		return -ENOMEM;
	s->mem = mem;
	s->obj_len = len;
	s->n_max = n_max;
	return 0;
}

void slab_deinit(struct slab *s)
{
	if (s->mem) {
		unpoison(s->mem, s->obj_len * s->n_fresh);
		munmap(s->mem, s->obj_len * s->n_max);
	}
	*s = SLAB_NULL;
}

void *slab_alloc_raw(struct slab *s)
{
	void *obj = s->free_list;

	if (obj) {
		unpoison(obj, s->obj_len);
		memcpy(&s->free_list, obj, sizeof(s->free_list));
	} else {
		if (s->n_fresh >= s->n_max)
			return NULL;
		obj = s->mem + s->obj_len * s->n_fresh++;
	}
	s->n_used++;
	return obj;
}

void *slab_alloc(struct slab *s)
{
	void *obj = slab_alloc_raw(s);

	if (obj)
		memset(obj, 0, s->obj_len);
	return obj;
}

void slab_free(struct slab *s, void *obj)
{
	if (!obj)
		return;
	assert(s->n_used > 0 && (uint8_t *)obj >= s->mem &&
	       (uint8_t *)obj < s->mem + s->obj_len * s->n_fresh);
	memcpy(obj, &s->free_list, sizeof(s->free_list));
	s->free_list = obj;
	poison(obj, s->obj_len);
	s->n_used--;
}

void slab_trim(struct slab *s)
{
	size_t len = s->obj_len * s->n_fresh;

	assert(s->n_used == 0);
	if (!len)
		return;
	unpoison(s->mem, len);
	/* What it fails to take away is used again. */
	(void)madvise(s->mem, len, MADV_DONTNEED);
	s->n_fresh = 0;
	s->free_list = NULL;
}
