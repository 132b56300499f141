/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers as people read them: three digits and a unit.  For words only; JSON
 * has the numbers themselves. */
#ifndef CLI_UNITS_H
#define CLI_UNITS_H

#include <stdint.h>

enum { UNITS_LEN = 24 };

/* "812 B", "1.50 KiB", "23.4 MiB" */
const char *units_bytes(uint64_t bytes, char buf[static UNITS_LEN]);
/* "812", "1.50 k", "23.4 M": frames, flows, whatever is counted. */
const char *units_count(double n, char buf[static UNITS_LEN]);
/* "812 bit/s", "1.50 kbit/s", "23.4 Gbit/s" */
const char *units_bit_rate(double bit_per_s, char buf[static UNITS_LEN]);
/* "350 ms", "12 s", "3 min", "2 h 5 min", "4 d 2 h": for ages. */
const char *units_age(uint64_t ms, char buf[static UNITS_LEN]);
/* "812 us", "1.50 ms", "2.50 s": for what a packet takes. */
const char *units_us(uint64_t us, char buf[static UNITS_LEN]);

#endif
