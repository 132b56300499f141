/* SPDX-License-Identifier: BSD-3-Clause */
/* Text for manual pages; see scdoc.h. */
#include "base/scdoc.h"

#include <ctype.h>
#include <string.h>

void scdoc_text(const char *text, FILE *out)
{
	for (; *text; text++) {
		if (strchr("*_\\#~<>[]|`", *text))
			fputc('\\', out);
		fputc(*text, out);
	}
}

void scdoc_sentence(const char *text, FILE *out)
{
	if (isalpha((unsigned char)*text))
		fputc(toupper((unsigned char)*text++), out);
	scdoc_text(text, out);
}
