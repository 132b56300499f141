/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fixed-size objects from one reserved mapping.
 *
 * Address space is reserved at slab_init(), memory is touched object by
 * object, so an idle slab costs nothing.  Alloc and free are O(1), make no
 * system call, and exhaustion is an ordinary answer (NULL).  One thread.
 */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slab {
	uint8_t *mem;	   /* owned mapping; NULL in SLAB_NULL */
	size_t obj_len;	   /* bytes per object, rounded to 16 */
	unsigned n_max;	   /* objects that fit */
	unsigned n_fresh;  /* objects handed out at least once */
	unsigned n_used;   /* objects handed out now */
	void *free_list;   /* objects given back */
};

#define SLAB_NULL ((struct slab){0})

/* Reserves room for n_max objects of obj_len bytes. 0 or -ENOMEM. */
__attribute__((warn_unused_result)) int
slab_init(struct slab *s, size_t obj_len, unsigned n_max);
/* Releases everything; accepts SLAB_NULL. */
void slab_deinit(struct slab *s);
/* A zeroed object, or NULL when n_max are out. */
void *slab_alloc(struct slab *s);
/* As slab_alloc(), the content undefined (for buffers). */
void *slab_alloc_raw(struct slab *s);
/* Takes an object back; NULL is accepted. */
void slab_free(struct slab *s, void *obj);
/* Gives the memory of a slab with no object out back to the system. */
void slab_trim(struct slab *s);

#endif
