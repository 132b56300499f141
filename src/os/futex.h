/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * To sleep until a word in memory changes, among the threads of this process.
 * Used by workers to wait for each other off the fast path; both calls only
 * put to sleep and wake: what is read and written beside the word is ordered
 * by how the caller loads and stores it.
 */
#ifndef OS_FUTEX_H
#define OS_FUTEX_H

#include <stdatomic.h>
#include <stdint.h>

/* Sleeps if *word is still seen, until futex_wake(). May return for no reason:
 * the caller looks again. */
void futex_wait(_Atomic uint32_t *word, uint32_t seen);
/* Wakes all who sleep on word. */
void futex_wake(_Atomic uint32_t *word);

#endif
