/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest's memory as a vhost-user front end shares it: regions of files,
 * mapped, and found by the guest's physical address (what descriptors hold) or
 * by the front end's own address (what ring addresses are told in).
 *
 * Called by vring.c (translate) on the workers that carry its rings, and by
 * vhost_session.c (add, delete) while none of them does.  Every byte of it may
 * change at any time; a file that shrinks is the business of os/sigbus.h.
 */
#ifndef NETDEV_VMEM_H
#define NETDEV_VMEM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

enum { VMEM_SLOTS = 509 }; /* what the kernel's own vhost offers */

/* As in the messages (vhost-user, "Memory region description"). */
struct vmem_spec {
	uint64_t gpa;	 /* guest-physical address */
	uint64_t size;	 /* bytes */
	uint64_t uva;	 /* the front end's address */
	uint64_t offset; /* into the file */
};

struct vmem_region {
	struct vmem_spec spec;
	uint8_t *at;  /* of gpa */
	void *map;    /* owned mapping */
	uint64_t len; /* of the mapping */
};

struct vmem {
	struct vmem_region *region; /* owned array, by gpa */
	unsigned n;
};

/* Maps a region; fd is not needed afterwards and stays the caller's. 0;
 * -EINVAL: it overlaps another or wraps; -ENOSPC: VMEM_SLOTS are in use; or
 * what mmap says. */
__attribute__((warn_unused_result)) int
vmem_add(struct vmem *m, const struct vmem_spec *s, int fd);
/* Unmaps the region with this gpa, size and uva; -ENOENT. */
__attribute__((warn_unused_result)) int vmem_del(struct vmem *m,
						 const struct vmem_spec *s);
/* True if there is just this region, of whatever file. */
bool vmem_has(const struct vmem *m, const struct vmem_spec *s);
void vmem_clear(struct vmem *m);

/* Where guest-physical gpa is, NULL if nowhere; *lenp: bytes from there to
 * the region's end.  *hitp: the caller's memory of where it found the last one,
 * any number at first. */
uint8_t *vmem_gpa(const struct vmem *m, uint64_t gpa, uint64_t *lenp,
		  unsigned *hitp);
/* Where len bytes at the front end's uva are, NULL unless all in one region. */
void *vmem_uva(const struct vmem *m, uint64_t uva, uint64_t len);
/* The guest-physical address of a mapped byte; UINT64_MAX: of none. */
uint64_t vmem_gpa_of(const struct vmem *m, const void *p);

#endif
