/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines of a configuration file; see ini.h. */
#include "grammar/ini.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "grammar/nearest.h"

static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Ends the text at its last character that is no blank, and gives the first. */
static char *trim(char *text)
{
	size_t n;

	while (is_blank(*text))
		text++;
	n = strlen(text);
	while (n && is_blank(text[n - 1]))
		n--;
	text[n] = '\0';
	return text;
}

static const char *take_section(char *text, struct ini_line *l)
{
	char *end = strchr(text, ']');
	size_t n;

	if (!end)
		return "a section has a ']' at its end, as [network]";
	if (end[1])
		return "there is something behind the section's ']'; put it "
		       "into a line of its own";
	*end = '\0';
	text = trim(text);
	n = strspn(text, letters);
	if (!n || (text[n] && !is_blank(text[n])))
		return "a section is [WORD] or [WORD NAME], as [network] or "
		       "[machine web]";
	l->what = INI_SECTION;
	l->key = text;
	l->value = trim(text + n);
	text[n] = '\0';
	return l->value[strcspn(l->value, " \t")]
		       ? "there is more than one name in the section's "
			 "brackets; begin a section for each"
		       : NULL;
}

static bool is_quoted(const char *text)
{
	size_t n = strlen(text);

	return n > 1 && (*text == '"' || *text == '\'') && text[n - 1] == *text;
}

static const char *take_pair(char *text, struct ini_line *l)
{
	char *equals = strchr(text, '=');

	if (!equals)
		return "this is neither a [section] nor KEY = VALUE; a comment "
		       "begins with '#'";
	*equals = '\0';
	text = trim(text);
	if (!*text || text[strspn(text, letters)])
		return "what is before the '=' is no key: it has small "
		       "letters, digits and '-'";
	l->key = text;
	l->value = trim(equals + 1);
	l->what = INI_PAIR;
	return is_quoted(l->value) ? "a value is written without quotes; leave "
				     "them out"
				   : NULL;
}

/* A line without blanks around it; false: there is nothing in it. */
static bool take_line(char *text, size_t len, struct ini_line *l)
{
	if (strlen(text) < len || !text_is_plain(text, len)) {
		l->why = "this is no text: a file is UTF-8, without control "
			 "characters (of carriage returns, sed -i 's/\\r$//' "
			 "rids it)";
		return true;
	}
	text = trim(text);
	len = strlen(text);
	if (!len || *text == '#' || *text == ';')
		return false;
	if (text[len - 1] == '\\')
		l->why = "a line does not go on in the next; write it in one, "
			 "without the '\\'";
	else
		l->why = *text == '[' ? take_section(text + 1, l)
				      : take_pair(text, l);
	return true;
}

int ini_parse(const char *text, size_t len, struct ini *ini)
{
	unsigned number = 0, room = 1;

	*ini = INI_NULL;
	for (size_t i = 0; i < len; i++)
		room += text[i] == '\n';
	ini->text = malloc(len + 1);
	ini->lines = calloc(room, sizeof(*ini->lines));
	if (!ini->text || !ini->lines) {
		ini_deinit(ini);
		return -ENOMEM;
	}
	if (len)
		memcpy(ini->text, text, len);
	ini->text[len] = '\0';
	for (char *p = ini->text, *end; p < ini->text + len; p = end + 1) {
		struct ini_line l = {.what = INI_BAD, .key = "", .value = ""};

		l.number = ++number;
		end = memchr(p, '\n', (size_t)(ini->text + len - p));
		if (!end)
			end = ini->text + len;
		*end = '\0';
		if (!take_line(p, (size_t)(end - p), &l))
			continue;
		if (l.why)
			l = (struct ini_line){.what = INI_BAD,
					      .number = number, .key = "",
					      .value = "", .why = l.why};
		ini->lines[ini->n++] = l;
	}
	return 0;
}

void ini_deinit(struct ini *ini)
{
	free(ini->lines);
	free(ini->text);
	*ini = INI_NULL;
}
