/* SPDX-License-Identifier: BSD-3-Clause */
/* Forms and options out of a text of help; see synopsis.h. */
#include "cli/synopsis.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char usage[] = "usage: vmlan ";
static const char next_form[] = "       vmlan ";

static bool is_mark(const char *text, size_t n)
{
	return n == 2 && memcmp(text, "--", 2) == 0;
}

static int add_word(struct synopsis_form *f, const char *text, size_t n,
		    bool is_optional, bool repeats)
{
	struct synopsis_word *more =
		reallocarray(f->words, f->n + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	f->words = more;
	more[f->n] = (struct synopsis_word){.text = strndup(text, n),
					    .is_optional = is_optional,
					    .repeats = repeats};
	if (!more[f->n].text)
		return -ENOMEM;
	f->n++;
	return 0;
}

/* value of n_value bytes; NULL: none. */
static int add_option(struct synopsis *s, const char *name, size_t n,
		      const char *value, size_t n_value)
{
	struct synopsis_option *more, *o;

	for (unsigned i = 0; i < s->n_options; i++) {
		if (strncmp(s->options[i].name, name, n) == 0 &&
		    !s->options[i].name[n])
			return 0;
	}
	more = reallocarray(s->options, s->n_options + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	s->options = more;
	o = &more[s->n_options];
	o->name = strndup(name, n);
	o->value = value ? strndup(value, n_value) : NULL;
	if (!o->name || (value && !o->value)) {
		free(o->name);
		free(o->value);
		return -ENOMEM;
	}
	s->n_options++;
	return 0;
}

/* A word that stands for something, or says which there are. */
static bool is_value(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (isupper((unsigned char)text[i]) || text[i] == '|')
			return true;
	}
	return false;
}

/* "--json|--netdevs", "--since N|now" of n bytes. */
static int take_options(struct synopsis *s, const char *text, size_t n)
{
	size_t at = 0;

	while (at < n && text[at] == '-') {
		size_t len = strcspn(text + at, " |=[]\n"), start;
		const char *name = text + at;
		int r;

		if (len > n - at)
			len = n - at;
		at += len;
		start = at + 1;
		if (at >= n || text[at] == '|') {
			r = add_option(s, name, len, NULL, 0);
			at++;
		} else {
			at = n;
			r = add_option(s, name, len, text + start, n - start);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* The length of "[...]" at text, brackets in it included; 0: it has no end. */
static size_t group_len(const char *text, size_t n)
{
	unsigned depth = 0;

	for (size_t i = 0; i < n; i++) {
		depth += text[i] == '[';
		if (text[i] == ']' && --depth == 0)
			return i + 1;
	}
	return 0;
}

/* Bytes of "..", "..." or ",.." at the end. */
static size_t dots(const char *text, size_t n)
{
	size_t k = 0;

	while (k < n && text[n - 1 - k] == '.')
		k++;
	if (k > 1 && k < n && text[n - 1 - k] == ',')
		k++;
	return k > 1 ? k : 0;
}

/* What stands between brackets, or alone. */
static int take_word(struct synopsis *s, struct synopsis_form *f,
		     const char *text, size_t n, bool is_optional,
		     bool repeats)
{
	size_t tail = dots(text, n);

	n -= tail;
	if (text[0] == '-' && !is_mark(text, n))
		return take_options(s, text, n);
	if (n >= 7 && strncasecmp(text + n - 7, "options", 7) == 0)
		return 0;
	return n ? add_word(f, text, n, is_optional, repeats || tail) : 0;
}

static int take_form(struct synopsis *s, struct synopsis_form *f,
		     const char *text, size_t n, bool is_optional);

/* What stands between brackets, several words of it: "[[to|from] KEY=VALUE..]".
 */
static int take_group(struct synopsis *s, struct synopsis_form *f,
		      const char *text, size_t n, bool repeats)
{
	bool has_words = memchr(text, ' ', n) && text[0] != '-' &&
			 !memmem(text, n, "options", 7);

	return has_words ? take_form(s, f, text, n, true)
			 : take_word(s, f, text, n, true, repeats);
}

/* A form, or what is optional in it, of n bytes. */
static int take_form(struct synopsis *s, struct synopsis_form *f,
		     const char *text, size_t n, bool is_optional)
{
	size_t i = 0;
	int r = 0;

	while (i < n && r == 0) {
		size_t len, g;

		if (text[i] == ' ' || text[i] == '\n') {
			i++;
			continue;
		}
		g = text[i] == '[' ? group_len(text + i, n - i) : 0;
		if (text[i] == '[' && !g)
			return 0;
		if (g && i + g < n && isalnum((unsigned char)text[i + g])) {
			i += g; /* "[USER@]VM" */
			continue;
		}
		if (g) {
			len = strspn(text + i + g, ".");
			r = take_group(s, f, text + i + 1, g - 2, len);
			i += g + len;
			continue;
		}
		len = strcspn(text + i, " \n[");
		if (len > n - i)
			len = n - i;
		r = take_word(s, f, text + i, len, is_optional, false);
		i += len;
		while (i < n && text[i] == '[') { /* "MODE[:NAME]" */
			g = group_len(text + i, n - i);
			i = g ? i + g : n;
		}
		i += strspn(text + i, ".");
	}
	return r;
}

static struct synopsis_form *new_form(struct synopsis *s)
{
	struct synopsis_form *more =
		reallocarray(s->forms, s->n_forms + 1, sizeof(*more));

	if (!more)
		return NULL;
	s->forms = more;
	more[s->n_forms] = (struct synopsis_form){.words = NULL};
	return &more[s->n_forms++];
}

/* The forms at the start of help; *endp is behind them. */
static int take_forms(struct synopsis *s, const char *help, const char **endp)
{
	const char *at = help;

	*endp = help;
	if (strncmp(help, usage, sizeof(usage) - 1) != 0)
		return 0;
	while (at == help ||
	       strncmp(at, next_form, sizeof(next_form) - 1) == 0) {
		/* "usage: vmlan " is as long as next_form. */
		const char *text = at + sizeof(next_form) - 1;
		struct synopsis_form *f = new_form(s);
		int r;

		text += strcspn(text, " \n"); /* the command */
		at = text + strcspn(text, "\n");
		while (strncmp(at, "\n        ", 9) == 0)
			at += 1 + strcspn(at + 1, "\n");
		r = f ? take_form(s, f, text, (size_t)(at - text), false)
		      : -ENOMEM;
		if (r < 0)
			return r;
		at += *at == '\n';
	}
	*endp = at;
	return 0;
}

/* "  -v, -q   ..", "  --keep SIZE|off  ..", "  -p, --publish SPEC  ..": the
 * names are of one thing. */
static int take_line(struct synopsis *s, const char *line)
{
	const char *last = line, *value;
	size_t n, n_value;
	int r = 0;

	for (n = strcspn(last, " ,\n"); strncmp(last + n, ", -", 3) == 0;
	     n = strcspn(last, " ,\n"))
		last += n + 2;
	value = last + n + 1;
	n_value = last[n] == ' ' ? strcspn(value, " \n[") : 0;
	if (!is_value(value, n_value))
		value = NULL;
	while (r == 0 && line <= last) {
		n = strcspn(line, " ,\n");
		r = add_option(s, line, n, value, n_value);
		line += n + 2;
	}
	return r;
}

/* "  delay=50ms jitter=5ms     .." */
static int take_keys(struct synopsis *s, const char *line)
{
	for (;;) {
		size_t n = strcspn(line, "= \n");
		char **more;

		if (!n || line[n] != '=' || !islower((unsigned char)*line))
			return 0;
		more = reallocarray(s->keys, s->n_keys + 1, sizeof(*more));
		if (!more)
			return -ENOMEM;
		s->keys = more;
		more[s->n_keys] = strndup(line, n);
		if (!more[s->n_keys])
			return -ENOMEM;
		s->n_keys++;
		line += strcspn(line, " \n");
		if (*line != ' ')
			return 0;
		line++;
	}
}

int synopsis_read(const char *help, struct synopsis *s)
{
	const char *at;
	int r;

	*s = SYNOPSIS_NULL;
	r = take_forms(s, help, &at);
	/* What the line of an option says of its value is more than what the
	 * forms say, which came first; both say it alike. */
	while (r == 0 && *at) {
		if (strncmp(at, "  -", 3) == 0)
			r = take_line(s, at + 2);
		else if (strncmp(at, "  ", 2) == 0)
			r = take_keys(s, at + 2);
		at += strcspn(at, "\n");
		at += *at == '\n';
	}
	return r;
}

void synopsis_deinit(struct synopsis *s)
{
	for (unsigned i = 0; i < s->n_forms; i++) {
		for (unsigned k = 0; k < s->forms[i].n; k++)
			free(s->forms[i].words[k].text);
		free(s->forms[i].words);
	}
	for (unsigned i = 0; i < s->n_options; i++) {
		free(s->options[i].name);
		free(s->options[i].value);
	}
	for (unsigned i = 0; i < s->n_keys; i++)
		free(s->keys[i]);
	free(s->keys);
	free(s->forms);
	free(s->options);
	*s = SYNOPSIS_NULL;
}

const struct synopsis_option *synopsis_option(const struct synopsis *s,
					      const char *word)
{
	size_t n = strcspn(word, "=");

	for (unsigned i = 0; i < s->n_options; i++) {
		if (strncmp(s->options[i].name, word, n) == 0 &&
		    !s->options[i].name[n])
			return &s->options[i];
	}
	return NULL;
}

bool synopsis_accepts(const struct synopsis_word *w, const char *typed)
{
	const char *alt = w->text;

	if (is_mark(alt, strlen(alt)))
		return false; /* it is no word of its own */
	for (;;) {
		size_t n = strcspn(alt, "|"), key = strcspn(alt, "=");
		bool has_key = key < n;

		if (strncmp(alt, "KEY=VALUE", n) == 0 && has_key) {
			if (strchr(typed, '='))
				return true;
		} else if (has_key) {
			if (strncmp(typed, alt, key + 1) == 0)
				return true;
		} else if (islower((unsigned char)*alt)) {
			if (strncmp(typed, alt, n) == 0 && !typed[n])
				return true;
		} else if (strncmp(alt, "MODE", n) != 0 ||
			   !strchr(typed, '=')) {
			return true;
		}
		if (!alt[n])
			return false;
		alt += n + 1;
	}
}

int synopsis_align(const struct synopsis_form *f, char *const *typed,
		   unsigned n)
{
	unsigned at = 0;

	for (unsigned i = 0; i < n; i++) {
		while (at < f->n &&
		       !synopsis_accepts(&f->words[at], typed[i])) {
			const struct synopsis_word *w = &f->words[at];

			if (!w->is_optional && !w->repeats &&
			    strcmp(w->text, "--") != 0)
				return -1;
			at++;
		}
		if (at == f->n)
			return -1;
		at += !f->words[at].repeats;
	}
	return (int)at;
}
