/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The words that the option tables are written in, shared by the files that
 * have some of them: kind_table.c, kind_passt.c.
 */
#ifndef GRAMMAR_KIND_PRIV_H
#define GRAMMAR_KIND_PRIV_H

#include "grammar/kind.h"

/* Name, type, default, help, then what else is to be said. */
#define OPT(n, t, d, h, ...)                                                   \
	{                                                                      \
		.name = (n), .type = (t), .deflt = (d), .help = (h),           \
		__VA_ARGS__                                                    \
	}
#define REQUIRED    .flags = OPT_F_REQUIRED
#define EXTENSION   .flags = OPT_F_EXTENSION
#define LATER(only) .flags = OPT_F_LATER, .accepts = (only)
/* How it differs from QEMU's; why nothing comes of it; why it is refused, and
 * what is nearest, but for one value or NULL. */
#define DIFFERS(how)	   .flags = OPT_F_DIFFERS, .does = (how)
#define NO_EFFECT(why)	   .flags = OPT_F_NO_EFFECT, .does = (why)
#define REFUSED(only, why)                                                     \
	.flags = OPT_F_REFUSED, .accepts = (only), .does = (why)
#define END                                                                    \
	{                                                                      \
		.name = NULL                                                   \
	}

extern const struct netdev_option netdev_passt_options[];

#endif
