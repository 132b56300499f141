/* SPDX-License-Identifier: BSD-3-Clause */
/* Where things are in the picture of a network: nothing on anything else, all
 * of it inside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/picture.h"

static bool is_inside(const struct rect *r, const struct picture *p)
{
	return r->x >= 0 && r->y >= 0 && r->w >= 0 && r->h >= 0 &&
	       r->x + r->w <= p->width && r->y + r->h <= p->height;
}

/* Lines have a width or height of 0, and may touch what they lead to. */
static bool is_crossing(const struct rect *a, const struct rect *b)
{
	return a->x < b->x + b->w && b->x < a->x + a->w &&
	       a->y < b->y + b->h && b->y < a->y + a->h;
}

static struct rect thick(const struct rect *r)
{
	bool is_down = r->w == 0;

	return (struct rect){r->x - is_down, r->y - !is_down,
			     is_down ? 2 : r->w, is_down ? r->h : 2};
}

static void check(const struct picture *p)
{
	assert_true(is_inside(&p->lan, p));
	for (unsigned i = 0; i < p->n_boxes; i++) {
		const struct picture_box *a = &p->boxes[i];
		struct rect line = thick(&a->line);

		assert_true(is_inside(&a->at, p));
		assert_true(is_inside(&a->line, p));
		assert_false(is_crossing(&a->at, &p->lan));
		assert_true(a->place == PICTURE_HOST || a->line.w ||
			    a->line.h);
		assert_true(a->at.h >= (int)a->n_lines * PICTURE_LINE);
		assert_true(a->at.w >= (int)(a->cells * PICTURE_CELL));
		for (unsigned k = 0; k < p->n_boxes; k++) {
			const struct picture_box *b = &p->boxes[k];

			assert_true(k == i || !is_crossing(&a->at, &b->at));
			assert_true(k == i || a->place == PICTURE_HOST ||
				    !is_crossing(&line, &b->at));
		}
		for (unsigned k = 0; p->trunks && k < p->n_columns; k++) {
			struct rect t = thick(&p->trunks[k]);

			assert_true(is_inside(&p->trunks[k], p));
			assert_false(is_crossing(&t, &a->at));
		}
	}
}

static void add(struct picture *p, enum picture_place place,
		enum picture_kind kind, unsigned n_lines, const char *text)
{
	struct picture_box *b = picture_add(p, place, kind);

	assert_non_null(b);
	for (unsigned i = 0; i < n_lines; i++)
		assert_true(picture_say(b, PICTURE_TEXT, "%s", text));
}

static void draw(unsigned n_machines, unsigned n_above, bool has_host)
{
	static const char *const texts[] = {
		"vm", "52:54:00:12:34:56", "fd12:3456:789a:1:5054:ff:fe12:3456",
		"a line that is much longer than the longest that a box has"};
	struct picture p = PICTURE_NULL;

	for (unsigned i = 0; i < n_above; i++)
		add(&p, PICTURE_ABOVE, PICTURE_GATEWAY, 3 + i * 4,
		    texts[i % 4]);
	if (has_host)
		add(&p, PICTURE_HOST, PICTURE_THE_HOST, 9, texts[2]);
	for (unsigned i = 0; i < n_machines; i++)
		add(&p, PICTURE_BELOW, PICTURE_MACHINE, 1 + i * 7 % 12,
		    texts[i * 5 % 4]);
	p.title_cells = n_machines;
	assert_true(picture_lay_out(&p));
	check(&p);
	picture_deinit(&p);
}

static void test_all_sizes(void **state)
{
	static const unsigned sizes[] = {0, 1, 2, 3, 4, 5, 7, 16, 17, 100, 256};

	(void)state;
	for (size_t i = 0; i < array_len(sizes); i++) {
		for (unsigned above = 0; above <= 3; above++) {
			draw(sizes[i], above, false);
			draw(sizes[i], above, true);
		}
	}
}

/* As many boxes as there are machines, each with all that was said. */
static void test_lines(void **state)
{
	struct picture p = PICTURE_NULL;

	(void)state;
	for (unsigned i = 0; i < 50; i++)
		add(&p, PICTURE_BELOW, PICTURE_MACHINE, i, "x");
	assert_int_equal(p.n_boxes, 50);
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(p.boxes[i].n_lines, i);
	assert_int_equal(p.boxes[1].cells, PICTURE_CELLS_MIN);
	assert_true(picture_say(&p.boxes[1], PICTURE_DIM, "%060d", 1));
	assert_int_equal(p.boxes[1].cells, PICTURE_CELLS_MAX);
	picture_deinit(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_sizes),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
