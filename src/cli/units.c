/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers as people read them; see units.h. */
#include "cli/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <stddef.h>

#include "base/mem.h"

/* Three digits of n in the first unit in which it is below 1000 when they are
 * rounded; a whole number in the unit it came in. */
static const char *scaled(double n, double base, const char *const *units,
			  unsigned n_units, char *buf)
{
	unsigned i = 0;

	if (!(n > 0)) /* no number neither */
		n = 0;
	while (i + 1 < n_units && n >= (i || base < 1024 ? 999.5 : 1024)) {
		n /= base;
		i++;
	}
	if (i == 0 || n >= 99.95)
		snprintf(buf, UNITS_LEN, "%.0f%s", n, units[i]);
	else
		snprintf(buf, UNITS_LEN, "%.*f%s", n < 9.995 ? 2 : 1, n,
			 units[i]);
	return buf;
}

const char *units_bytes(uint64_t bytes, char buf[static UNITS_LEN])
{
	static const char *const units[] = {" B",   " KiB", " MiB", " GiB",
					    " TiB", " PiB", " EiB"};

	return scaled((double)bytes, 1024, units, array_len(units), buf);
}

const char *units_count(double n, char buf[static UNITS_LEN])
{
	static const char *const units[] = {"",	  " k", " M", " G",
					    " T", " P", " E"};

	return scaled(n, 1000, units, array_len(units), buf);
}

const char *units_bit_rate(double bit_per_s, char buf[static UNITS_LEN])
{
	static const char *const units[] = {" bit/s",  " kbit/s", " Mbit/s",
					    " Gbit/s", " Tbit/s", " Pbit/s"};

	return scaled(bit_per_s, 1000, units, array_len(units), buf);
}

const char *units_us(uint64_t us, char buf[static UNITS_LEN])
{
	static const char *const units[] = {" us", " ms", " s"};

	return scaled((double)us, 1000, units, array_len(units), buf);
}

const char *units_age(uint64_t ms, char buf[static UNITS_LEN])
{
	uint64_t s = ms / 1000, min = s / 60, h = min / 60, d = h / 24;

	if (!s)
		snprintf(buf, UNITS_LEN, "%" PRIu64 " ms", ms);
	else if (!min)
		snprintf(buf, UNITS_LEN, "%" PRIu64 " s", s);
	else if (!h)
		snprintf(buf, UNITS_LEN, "%" PRIu64 " min", min);
	else if (!d)
		snprintf(buf, UNITS_LEN, "%" PRIu64 " h %" PRIu64 " min", h,
			 min % 60);
	else
		snprintf(buf, UNITS_LEN, "%" PRIu64 " d %" PRIu64 " h", d,
			 h % 24);
	return buf;
}
