/* SPDX-License-Identifier: BSD-3-Clause */
/* What vmlan matrix found: as a table, and as JSON. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/ctl.h"
#include "cli/matrix.h"

/* As JSON has them. */
static const char *const questions[N_QUESTIONS] = {
	[Q_VM_LAN] = "vm-lan",	   [Q_LAN_VM] = "lan-vm",
	[Q_VM_VM] = "vm-vm",	   [Q_INTERNET] = "internet",
	[Q_HOST_VM] = "host-vm",   [Q_FORWARD] = "forward",
};

static const char *const protos[N_MATRIX_FAMILIES][N_PROTOS] = {
	[MATRIX_IP4] = {"arp", "ping", "tcp", "udp"},
	[MATRIX_IP6] = {"nd", "ping", "tcp", "udp"},
};

static const char *const families[N_MATRIX_FAMILIES] = {
	[MATRIX_IP4] = "ipv4",
	[MATRIX_IP6] = "ipv6",
};

/* ---- the table ---- */

void matrix_print_head(void)
{
	/* Columns as print_cell() makes them. */
	printf("%-21s %-8s %-8s %-8s %-8s %-8s %s\n", "", "VM sees", "LAN",
	       "VMs each", "", "host", "by a");
	printf("%-21s %-8s %-8s %-8s %-8s %-8s %-8s %s\n", "MODE", "LAN",
	       "sees VM", "other", "internet", "to VM", "forward", "time");
}

/* "y"; or, where it differs, "n (y!)". */
static void print_cell(const struct matrix_row *row, const struct row_found *f,
		       enum matrix_family family, enum question q)
{
	char found = matrix_letter(matrix_cell(&f->cells[family][q]));
	char text[16];

	if (matrix_cell_ok(row, f, family, q))
		snprintf(text, sizeof(text), "%c", found);
	else
		snprintf(text, sizeof(text), "%c (%c!)", found,
			 row->expected[q]);
	printf(" %-8s", text);
}

/* Of a line by itself; IPv4 is not said. */
static void put_label(const struct matrix_row *row, enum matrix_family family,
		      char buf[static 32])
{
	snprintf(buf, 32, "%s%s", row->label,
		 family == MATRIX_IP4 ? "" : ", IPv6");
}

static void print_family(const struct matrix_row *row,
			 const struct row_found *f, enum matrix_family family)
{
	printf("%-21s", family == MATRIX_IP4 ? row->label : "  over IPv6");
	if (!f->is_built) {
		printf(" cannot be built: %s\n", f->error);
		return;
	}
	for (int q = 0; q < N_QUESTIONS; q++)
		print_cell(row, f, family, (enum question)q);
	printf(" %u.%u s\n", f->ms / 1000, f->ms / 100 % 10);
}

void matrix_print_row(const struct matrix_row *row, const struct row_found *f)
{
	for (int i = 0; i < N_MATRIX_FAMILIES; i++) {
		if (i == MATRIX_IP4 || f->has_family[i])
			print_family(row, f, (enum matrix_family)i);
	}
}

/* Each probe of a cell that differs. */
static void print_probes(const struct matrix_row *row,
			 const struct row_found *f, enum matrix_family family)
{
	char label[32];

	put_label(row, family, label);
	for (int q = 0; q < N_QUESTIONS && f->has_family[family]; q++) {
		const struct cell_found *c = &f->cells[family][q];

		if (matrix_cell_ok(row, f, family, (enum question)q))
			continue;
		for (unsigned i = 0; i < c->n_pairs; i++) {
			const struct pair_found *pair = &c->pairs[i];
			char ip[ADDR_STRLEN];

			printf("%s: %s to %s (%s):", label,
			       node_names[pair->from], node_names[pair->to],
			       addr_format(&pair->ip, ip));
			for (int p = 0; p < N_PROTOS; p++)
				printf(" %s %c", protos[family][p],
				       matrix_letter(pair->probes[p].answer));
			putchar('\n');
		}
	}
}

static void print_way(const struct matrix_row *row, const struct row_found *f)
{
	int width = f->netdevs[0] ? 7 : 0;

	if (f->is_built)
		printf("%-21s %-*s%s%s\n", row->label, width, f->way,
		       width ? " " : "", f->netdevs);
}

void matrix_print_end(const struct matrix *m, bool is_ok)
{
	if (m->verbosity > 0) {
		printf("\n%-21s %-7s %s\n", "MODE", "BY", "NETDEVS");
		for (unsigned i = 0; i < m->n; i++)
			print_way(m->rows[i], &m->found[i]);
	}
	if (m->verbosity < 0)
		return;
	if (!is_ok)
		putchar('\n');
	for (unsigned i = 0; i < m->n * N_MATRIX_FAMILIES; i++)
		print_probes(m->rows[i / N_MATRIX_FAMILIES],
			     &m->found[i / N_MATRIX_FAMILIES],
			     (enum matrix_family)(i % N_MATRIX_FAMILIES));
	printf("\n%s\n", is_ok ? "All is as it should be."
			       : "This is not as it should be.");
}

/* ---- JSON ---- */

static json_t *json_letter(char c)
{
	return json_stringn(&c, 1);
}

static json_t *json_pair(const struct pair_found *pair,
			 enum matrix_family family)
{
	char ip[ADDR_STRLEN];
	json_t *probes = json_array();

	for (int p = 0; p < N_PROTOS; p++) {
		const struct probe_found *f = &pair->probes[p];
		char letter = matrix_letter(f->answer);

		if (f->answer == ANSWER_NONE)
			continue;
		json_array_append_new(
			probes, json_pack("{s:s, s:o, s:i}", "protocol",
					  protos[family][p], "found",
					  json_letter(letter), "ms",
					  (int)f->ms));
	}
	return json_pack("{s:s, s:s, s:s, s:o}", "from", node_names[pair->from],
			 "to", node_names[pair->to], "address",
			 addr_format(&pair->ip, ip), "probes", probes);
}

static json_t *json_cell(const struct matrix_row *row,
			 const struct row_found *f, enum matrix_family family,
			 enum question q)
{
	const struct cell_found *c = &f->cells[family][q];
	json_t *pairs = json_array();

	for (unsigned i = 0; i < c->n_pairs; i++)
		json_array_append_new(pairs, json_pair(&c->pairs[i], family));
	return json_pack("{s:s, s:o, s:o, s:b, s:o}", "question",
			 questions[q], "expected",
			 json_letter(row->expected[q]), "found",
			 json_letter(matrix_letter(matrix_cell(c))), "ok",
			 matrix_cell_ok(row, f, family, q), "pairs", pairs);
}

static json_t *json_row(const struct matrix_row *row, const struct row_found *f,
			enum matrix_family family)
{
	json_t *cells = json_array();

	for (int q = 0; q < N_QUESTIONS && f->is_built; q++)
		json_array_append_new(cells,
				      json_cell(row, f, family,
						(enum question)q));
	return json_pack("{s:s, s:s, s:s, s:b, s:s?, s:s, s:s, s:i, s:o}",
			 "mode", row->word, "options",
			 row->options ? row->options : "", "family",
			 families[family], "built", f->is_built, "error",
			 f->is_built ? NULL : f->error, "way", f->way,
			 "netdevs", f->netdevs, "ms", (int)f->ms, "cells",
			 cells);
}

void matrix_print_json(const struct matrix *m, bool is_ok)
{
	json_t *rows = json_array(), *all;

	for (unsigned i = 0; i < m->n * N_MATRIX_FAMILIES; i++) {
		const struct row_found *f = &m->found[i / N_MATRIX_FAMILIES];
		enum matrix_family family =
			(enum matrix_family)(i % N_MATRIX_FAMILIES);

		if (family == MATRIX_IP4 || f->has_family[family])
			json_array_append_new(
				rows, json_row(m->rows[i / N_MATRIX_FAMILIES],
					       f, family));
	}
	all = json_pack("{s:b, s:s, s:o}", "ok", is_ok, "guests",
			m->image ? "qemu" : "namespaces", "rows", rows);
	ctl_print(all);
	json_decref(all);
}
