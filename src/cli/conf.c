/* SPDX-License-Identifier: BSD-3-Clause */
/* A network's files, put together; see conf.h. */
#include "cli/conf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "control/request.h"
#include "grammar/nearest.h"

enum { LINES_MAX = 8192 }; /* of a file, without comments */

void conf_init(struct conf *c, const char *name)
{
	*c = (struct conf){.forwards = json_array(),
			   .links = json_object(),
			   .captures = json_array()};
	snprintf(c->name, sizeof(c->name), "%s", name);
	list_init(&c->parts);
	c->is_out_of_memory = !c->forwards || !c->links || !c->captures;
}

void conf_deinit(struct conf *c)
{
	for (unsigned i = 0; i < c->n_files; i++) {
		ini_deinit(&c->files[i].ini);
		free(c->files[i].path);
	}
	for (unsigned i = 0; i < c->n_problems; i++)
		free(c->problems[i].text);
	list_each_safe (it, &c->parts) {
		struct conf_part *p = container_of(it, struct conf_part, link);

		list_del(&p->link);
		json_decref(p->o);
		free(p);
	}
	mode_spec_deinit(&c->mode);
	json_decref(c->forwards);
	json_decref(c->links);
	json_decref(c->captures);
	free(c->rules);
	free(c->problems);
	free(c->pairs);
	free(c->files);
	free(c->folder);
	*c = (struct conf){.name = ""};
	list_init(&c->parts);
}

/* Room for one more of n things; NULL: no memory. */
static void *one_more(struct conf *c, void *v, unsigned n, size_t size)
{
	void *more = n & (n - 1) ? v : reallocarray(v, n ? 2 * n : 1, size);

	c->is_out_of_memory |= !more;
	return more;
}

/* ---- problems ---- */

static void add_problem(struct conf *c, const struct conf_at *at,
			bool is_warning, const char *fmt, va_list ap)
{
	struct conf_problem *v = one_more(c, c->problems, c->n_problems,
					  sizeof(*v));
	struct conf_problem p = {.at = *at, .is_warning = is_warning};

	if (!v)
		return;
	c->problems = v;
	if (vasprintf(&p.text, fmt, ap) < 0) {
		c->is_out_of_memory = true;
		return;
	}
	v[c->n_problems++] = p;
	c->n_errors += !is_warning;
}

void conf_wrong(struct conf *c, const struct conf_at *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_problem(c, at, false, fmt, ap);
	va_end(ap);
}

void conf_warn(struct conf *c, const struct conf_at *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_problem(c, at, true, fmt, ap);
	va_end(ap);
}

void conf_print_problem(FILE *f, const struct conf_problem *p)
{
	fprintf(f, "%s:", p->at.file);
	if (p->at.line)
		fprintf(f, "%u:", p->at.line);
	fprintf(f, " %s%s\n", p->is_warning ? "warning: " : "", p->text);
}

/* ---- JSON ---- */

void conf_set(struct conf *c, json_t *o, const char *key, json_t *value)
{
	c->is_out_of_memory |= json_object_set_new(o, key, value) < 0;
}

void conf_append(struct conf *c, json_t *list, json_t *value)
{
	c->is_out_of_memory |= json_array_append_new(list, value) < 0;
}

/* ---- files ---- */

static struct conf_part *find_part(struct conf *c,
				   const struct conf_section *s,
				   const char *name)
{
	list_each (it, &c->parts) {
		struct conf_part *p = container_of(it, struct conf_part, link);

		if (p->section == s && strcmp(p->name, name) == 0)
			return p;
	}
	return NULL;
}

static struct conf_part *new_part(struct conf *c, const struct conf_section *s,
				  const char *name, const struct conf_at *at)
{
	struct conf_part *p = calloc(1, sizeof(*p));

	if (!p || !(p->o = json_object())) {
		free(p);
		c->is_out_of_memory = true;
		return NULL;
	}
	p->section = s;
	p->name = name;
	p->at = p->last = *at;
	list_add_tail(&c->parts, &p->link);
	return p;
}

/* True if the name is one that such a section has. */
static bool check_naming(struct conf *c, const struct conf_section *s,
			 const struct ini_line *l, const struct conf_at *at)
{
	char q[QUOTE_LEN];

	if (*l->value && s->naming == CONF_UNNAMED)
		conf_wrong(c, at, "[%s] has no name behind it; the network's "
				  "is that of its file",
			   s->word);
	else if (!*l->value && s->naming == CONF_NAMED)
		conf_wrong(c, at, "[%s] is a machine's; name it, as in [%s "
				  "web]",
			   s->word, s->word);
	else if (*l->value && !control_name_ok(l->value))
		conf_wrong(c, at, "'%s' cannot be a machine's name; it has "
				  "letters, digits, '-', '.' and '_', a letter "
				  "or digit first, at most 63 of them",
			   quote(q, l->value));
	else
		return true;
	return false;
}

/* The part that begins at that line; NULL: what is in it is not looked at. */
static struct conf_part *begin_part(struct conf *c, const struct ini_line *l,
				    const struct conf_at *at)
{
	const struct conf_section *s = conf_section_find(l->key);
	struct conf_part *p;

	if (!s) {
		conf_unknown_section(c, at, l->key);
		return NULL;
	}
	if (!check_naming(c, s, l, at))
		return NULL;
	p = find_part(c, s, l->value);
	if (!p)
		return new_part(c, s, l->value, at);
	if (strcmp(p->last.file, at->file) == 0)
		conf_wrong(c, at, "[%s%s%s] begins twice, first in line %u; "
				  "put all of it there",
			   l->key, *l->value ? " " : "", l->value,
			   p->last.line);
	p->last = *at;
	return p;
}

static void add_pair(struct conf *c, const struct conf_pair *p)
{
	struct conf_pair *v = one_more(c, c->pairs, c->n_pairs, sizeof(*v));

	if (!v)
		return;
	c->pairs = v;
	v[c->n_pairs++] = *p;
}

static void take_lines(struct conf *c, unsigned file)
{
	const struct conf_file *f = &c->files[file];
	struct conf_part *part = NULL;
	bool has_section = false;

	for (unsigned i = 0; i < f->ini.n; i++) {
		const struct ini_line *l = &f->ini.lines[i];
		struct conf_at at = {f->path, l->number};
		struct conf_pair p = {part, l->key, l->value, at, file, false};

		switch (l->what) {
		case INI_BAD:
			conf_wrong(c, &at, "%s", l->why);
			break;
		case INI_SECTION:
			has_section = true;
			part = begin_part(c, l, &at);
			break;
		case INI_PAIR:
			if (!has_section)
				conf_wrong(c, &at, "%s= stands before any "
						   "section; put a line "
						   "[network] above it",
					   l->key);
			else if (part)
				add_pair(c, &p);
			break;
		}
	}
}

const char *conf_file(struct conf *c, const char *path)
{
	struct conf_file *v = one_more(c, c->files, c->n_files, sizeof(*v));

	if (!v)
		return NULL;
	c->files = v;
	v[c->n_files] = (struct conf_file){.path = strdup(path)};
	if (!v[c->n_files].path) {
		c->is_out_of_memory = true;
		return NULL;
	}
	return v[c->n_files++].path;
}

int conf_text(struct conf *c, const char *text, size_t len)
{
	struct conf_file *f = &c->files[c->n_files - 1];

	if (ini_parse(text, len, &f->ini) < 0) {
		c->is_out_of_memory = true;
		return -ENOMEM;
	}
	if (f->ini.n > LINES_MAX)
		conf_wrong(c, &(struct conf_at){f->path, 0},
			   "this file has more than %d lines; no network has "
			   "so much to say",
			   LINES_MAX);
	else
		take_lines(c, c->n_files - 1);
	return c->is_out_of_memory ? -ENOMEM : 0;
}

/* ---- what they come to ---- */

/* What p says of its key is said for the second time in its file, is to be said
 * no more, or is said in place of what was. */
static void merge_pair(struct conf *c, unsigned i, bool is_list)
{
	struct conf_pair *p = &c->pairs[i];
	bool found = false;

	if (is_list && *p->value) /* one more; thousands may be before it */
		return;
	for (unsigned k = 0; k < i; k++) {
		struct conf_pair *q = &c->pairs[k];

		if (q->part != p->part || strcmp(q->key, p->key) != 0)
			continue;
		if (q->file == p->file && !is_list) {
			conf_wrong(c, &p->at,
				   "%s= is given twice, first in line %u; "
				   "leave one out",
				   p->key, q->at.line);
			p->is_over = true;
			return;
		}
		found |= q->file != p->file;
		q->is_over |= !is_list || (!*p->value && q->file != p->file);
	}
	if (*p->value)
		return;
	p->is_over = true;
	if (!found)
		conf_wrong(c, &p->at, "%s= needs a value; leave the line out "
				      "for what is usual",
			   p->key);
}

static bool is_mode(const struct conf_pair *p)
{
	return !p->part->section->keys && strcmp(p->key, "mode") == 0;
}

/* What the last of its files says. */
static void take_mode(struct conf *c)
{
	const struct conf_pair *said = NULL;
	struct conf_at at = {c->n_files ? c->files[0].path : "", 0};
	struct error e = ERROR_NULL;
	const struct mode *m;

	for (unsigned i = 0; i < c->n_pairs; i++) {
		if (is_mode(&c->pairs[i]))
			said = &c->pairs[i];
	}
	if (said)
		at = said->at;
	if (mode_begin(said && *said->value ? said->value : "natnet", c->name,
		       &c->mode, &e) < 0) {
		conf_wrong(c, &at, "mode=: %s", e.text);
		mode_spec_deinit(&c->mode);
		return;
	}
	m = c->mode.mode;
	if (m->owner == MODE_SHARED || m->owner == MODE_EITHER)
		return;
	conf_wrong(c, &at, "%s is no network that machines share; natnet is",
		   m->word);
	mode_spec_deinit(&c->mode);
}

static void merge(struct conf *c)
{
	for (unsigned i = 0; i < c->n_pairs; i++) {
		struct conf_pair *p = &c->pairs[i];
		bool is_list = false;

		/* The rest of what is wrong hangs on that. */
		if (!is_mode(p) && !p->part->section->keys && !c->mode.mode) {
			p->is_over = true;
			continue;
		}
		if (!is_mode(p) && !conf_key_find(p->part->section,
						  c->mode.mode, p->key,
						  &is_list)) {
			conf_unknown_key(c, p);
			p->is_over = true;
			continue;
		}
		merge_pair(c, i, is_list);
	}
}

static unsigned file_of(const struct conf *c, const struct conf_problem *p)
{
	unsigned i = 0;

	while (i < c->n_files && strcmp(c->files[i].path, p->at.file) != 0)
		i++;
	return i;
}

/* In the order of files and lines, whenever they were found. */
static int by_place(const void *a, const void *b, void *arg)
{
	const struct conf_problem *p = a, *q = b;
	unsigned i = file_of(arg, p), k = file_of(arg, q);

	if (i != k)
		return i < k ? -1 : 1;
	return p->at.line < q->at.line ? -1 : p->at.line > q->at.line;
}

int conf_finish(struct conf *c, struct error *e)
{
	take_mode(c);
	merge(c);
	for (unsigned i = 0; i < c->n_pairs; i++) {
		if (!c->pairs[i].is_over && !is_mode(&c->pairs[i]))
			conf_take(c, &c->pairs[i]);
	}
	list_each (it, &c->parts) {
		struct conf_part *p = container_of(it, struct conf_part, link);

		if (p->section->finish)
			p->section->finish(c, p);
	}
	if (c->mode.mode)
		conf_judge(c);
	if (c->n_problems)
		qsort_r(c->problems, c->n_problems, sizeof(*c->problems),
			by_place, c);
	if (!c->is_out_of_memory)
		return 0;
	return error_errno(e, ENOMEM, "%s.conf", c->name);
}
