/* SPDX-License-Identifier: BSD-3-Clause */
/* Hexadecimal digits. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

/* What c stands for, of either case; -1: it is no such digit. */
static inline int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

#endif
