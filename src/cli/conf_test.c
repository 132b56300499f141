/* SPDX-License-Identifier: BSD-3-Clause */
/* Configuration files: what they come to, and each mistake with its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/conf.h"
#include "cli/conf_across.h"

static void add(struct conf *c, const char *path, const char *text)
{
	assert_non_null(conf_file(c, path));
	assert_int_equal(conf_text(c, text, strlen(text)), 0);
}

static void read_both(struct conf *c, const char *text, const char *drop_in)
{
	struct error e = ERROR_NULL;

	conf_init(c, "lab");
	add(c, "lab.conf", text);
	if (drop_in)
		add(c, "lab.conf.d/a.conf", drop_in);
	assert_int_equal(conf_finish(c, &e), 0);
}

/* The problems, as they are printed. */
static char *problems(const struct conf *c)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	for (unsigned i = 0; i < c->n_problems; i++)
		conf_print_problem(f, &c->problems[i]);
	fclose(f);
	return text;
}

static void assert_problems(const struct conf *c, const char *wanted)
{
	char *text = problems(c);

	assert_string_equal(text, wanted);
	free(text);
}

static void assert_json(const json_t *o, const char *wanted)
{
	char *text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);

	assert_string_equal(text, wanted);
	free(text);
}

static void test_whole(void **state)
{
	struct conf c;

	(void)state;
	read_both(&c,
		  "[network]\n"
		  "mtu = 1400\n"
		  "mode = natnet\n"
		  "net = 10.77.0.0/24\n"
		  "dnssearch = a.example\n"
		  "dnssearch = b.example\n"
		  "[forward]\n"
		  "port = 2222:22 8080:80 proxy=v1 from=10.0.0.0/8,::1\n"
		  "[forward web]\n"
		  "port = udp::53-:53\n"
		  "[capture]\n"
		  "keep = 100mb\n"
		  "[capture web]\n"
		  "keep = 1mb\n"
		  "snaplen = 128\n"
		  "[machine web]\n"
		  "mac = 52:54:00:00:00:0A\n"
		  "address = 10.77.0.20\n"
		  "[link web]\n"
		  "delay = 0.05s\n"
		  "to = loss=1%\n"
		  "seed = 7\n"
		  "[link db]\n"
		  "cable = down\n",
		  NULL);
	assert_problems(&c, "");
	assert_string_equal(c.mode.mode->word, "natnet");
	assert_int_equal(c.mode.n_options, 5);
	assert_string_equal(c.mode.options[0], "mtu=1400");
	assert_string_equal(c.mode.options[3], "dnssearch=b.example");
	assert_string_equal(c.mode.options[4],
			    "reserve=52:54:00:00:00:0a/10.77.0.20/web");
	assert_int_equal(c.options_at[3].line, 6);
	assert_int_equal(c.options_at[4].line, 16);
	assert_json(c.forwards,
		    "[{\"from\":[\"10.0.0.0/8\",\"::1/128\"],\"proxy\":\"v1\","
		    "\"spec\":\"tcp:localhost:2222-:22\"},"
		    "{\"from\":[\"10.0.0.0/8\",\"::1/128\"],\"proxy\":\"v1\","
		    "\"spec\":\"tcp:localhost:8080-:80\"},"
		    "{\"machine\":\"web\","
		    "\"spec\":\"udp:localhost:53-:53\"}]");
	assert_json(c.captures,
		    "[{\"memory\":67108864,\"snaplen\":262144},"
		    "{\"machine\":\"web\",\"memory\":1048576,"
		    "\"snaplen\":128}]");
	assert_json(c.links,
		    "{\"db\":{\"from\":{},\"to\":{},\"up\":false},"
		    "\"web\":{\"from\":{\"delay\":\"50ms\"},\"seed\":7,"
		    "\"to\":{\"delay\":\"50ms\",\"loss\":\"1%\"},"
		    "\"up\":true}}");
	conf_deinit(&c);
}

/* What is given without a mode is natnet's; nothing at all is natnet. */
static void test_usual_mode(void **state)
{
	struct conf c;

	(void)state;
	read_both(&c, "", NULL);
	assert_problems(&c, "");
	assert_string_equal(c.mode.mode->word, "natnet");
	conf_deinit(&c);
}

/* Each key that vmlan up takes, in each mode, means the same in a file. */
static void test_every_key(void **state)
{
	(void)state;
	for (const struct mode *m = modes; m->word; m++) {
		bool is_shared = m->owner == MODE_SHARED ||
				 m->owner == MODE_EITHER;

		for (const struct mode_key *k = m->keys; k->key && is_shared;
		     k++) {
			struct mode_spec typed;
			struct conf c;
			struct error e = ERROR_NULL;
			char text[200], option[100];

			snprintf(option, sizeof(option), "%s=a,b = c", k->key);
			snprintf(text, sizeof(text),
				 "[network]\n%s = a,b = c\nmode = %s\n%s%s",
				 k->key, m->word, k->is_list ? k->key : "",
				 k->is_list ? "=a,b = c\n" : "");
			read_both(&c, text, NULL);
			assert_int_equal(mode_begin(m->word, "lab", &typed, &e),
					 0);
			assert_int_equal(mode_option(&typed, option, &e), 0);
			assert_int_equal(c.mode.n_options, 1 + k->is_list);
			assert_string_equal(c.mode.options[0],
					    typed.options[0]);
			for (unsigned i = 0; i < c.n_problems; i++)
				assert_null(strstr(c.problems[i].text,
						   "has no"));
			mode_spec_deinit(&typed);
			conf_deinit(&c);
		}
	}
}

static void test_drop_ins(void **state)
{
	struct conf c;

	(void)state;
	read_both(&c,
		  "[network]\nmtu = 1400\ndnssearch = a\nzone = one\n"
		  "[forward]\nport = 2222:22\n",
		  "[network]\nmtu = 1300\ndnssearch = b\nzone =\n"
		  "[forward]\nport =\nport = 2223:22\n");
	assert_problems(&c, "");
	assert_int_equal(c.mode.n_options, 3);
	assert_string_equal(c.mode.options[0], "dnssearch=a");
	assert_string_equal(c.mode.options[1], "mtu=1300");
	assert_string_equal(c.options_at[1].file, "lab.conf.d/a.conf");
	assert_string_equal(c.mode.options[2], "dnssearch=b");
	assert_json(c.forwards, "[{\"spec\":\"tcp:localhost:2223-:22\"}]");
	conf_deinit(&c);
	/* Another mode has other keys. */
	read_both(&c, "[network]\nmode = natnet\nmtu = 1400\n",
		  "[network]\nmode = bridged\nbridge = br0\n");
	assert_problems(&c, "lab.conf:3: bridged has no mtu=, which is for "
			    "natnet; leave it out, or take mode=natnet\n");
	conf_deinit(&c);
}

/* All of it at once, each with its line. */
static void test_all_mistakes(void **state)
{
	struct conf c;

	(void)state;
	read_both(&c,
		  "mtu = 1400\n"		 /* 1 */
		  "[network]\n"
		  "mode = natnet\n"
		  "mtu = 9\n"			 /* 4 */
		  "mtu = 1400\n"		 /* 5 */
		  "dhcpstat = 10.0.2.20\n"	 /* 6 */
		  "hots = 10.0.2.2\n"		 /* 7 */
		  "net = nonsense\n"		 /* 8 */
		  "zone =\n"			 /* 9 */
		  "bridge = br0\n"		 /* 10 */
		  "[network]\n"			 /* 11 */
		  "[forwards]\n"		 /* 12 */
		  "port = 1:1\n"
		  "[forward]\n"
		  "port = 2222:22\n"
		  "port = 127.0.0.1:2222:80\n"	 /* 16 */
		  "port = nobody:1:1\n"		 /* 17 */
		  "port = proxy=v1\n"		 /* 18 */
		  "port = 53:53/udp proxy=v1\n"	 /* 19 */
		  "port = 54:53 proxy=v3\n"	 /* 20 */
		  "port = 55:53 from=x\n"	 /* 21 */
		  "[machine]\n"			 /* 22 */
		  "[machine web]\n"		 /* 23 */
		  "mac = 1\n"			 /* 24 */
		  "address = x\n"		 /* 25 */
		  "[machine b b]\n"		 /* 26 */
		  "[capture]\n"			 /* 27 */
		  "keep = 1\n"			 /* 28 */
		  "snaplen = 1\n"		 /* 29 */
		  "[network lab]\n"		 /* 30 */
		  "[whatever]\n"		 /* 31 */
		  "[link web]\n"		 /* 32: jitter= */
		  "delay = 50\n"		 /* 33 */
		  "to = loss\n"			 /* 34 */
		  "from = loss=2\n"		 /* 35 */
		  "cable = out\n"		 /* 36 */
		  "seed = -1\n"			 /* 37 */
		  "jitter = 5ms\n",
		  NULL);
	static const unsigned lines[] = {1,  5,	 6,  7,	 8,  9,	 10, 11, 12,
					 16, 17, 18, 19, 20, 21, 22, 24, 25,
					 26, 28, 29, 30, 31, 4,  32, 32, 33, 34,
					35, 36, 37};

	for (size_t i = 0; i < array_len(lines); i++) {
		bool found = false;

		for (unsigned k = 0; k < c.n_problems; k++)
			found |= c.problems[k].at.line == lines[i];
		if (!found)
			printf("line %u is thought to be right\n", lines[i]);
		assert_true(found);
	}
	for (unsigned k = 0; k < c.n_problems; k++) {
		bool found = false;

		for (size_t i = 0; i < array_len(lines); i++)
			found |= c.problems[k].at.line == lines[i];
		if (!found)
			printf("%u: %s\n", c.problems[k].at.line,
			       c.problems[k].text);
		assert_true(found);
	}
	assert_int_equal(c.n_errors, array_len(lines));
	conf_deinit(&c);
}

static void test_words(void **state)
{
	static const struct {
		const char *text, *wanted;
	} all[] = {
		{"[network]\ndhcpstat = 10.0.2.20\n",
		 "lab.conf:2: [network] has no dhcpstat=; dhcpstart= is "
		 "meant?\n"},
		{"[forwrad]\n",
		 "lab.conf:1: there is no section [forwrad]; [forward] is "
		 "meant?\n"},
		{"[network]\nmode = nonet\n",
		 "lab.conf:2: mode=: 'nonet' is no mode; modes are none, nat, "
		 "natnet, bridged, hostonly, internal and generic\n"},
		{"[network]\nmode = none\n",
		 "lab.conf:2: mode=: none is no network and has no name\n"},
		{"[network]\nmtu = 1400\n# x\nmtu = 1500\n",
		 "lab.conf:4: mtu= is given twice, first in line 2; leave one "
		 "out\n"},
		{"[forward]\nport=22:22\nport=127.0.0.1:22:23\n",
		 "lab.conf:3: lab.conf:2 forwards that port already; leave one "
		 "out, or take another port\n"},
		{"[network]\nmode=internal\n[forward]\nport=22:22\n",
		 "lab.conf:3: internal has no gateway that forwards ports; "
		 "leave the section out, or take mode=natnet\n"},
		{"[machine a]\nmac=52:54:00:12:34:56\n",
		 "lab.conf:1: [machine a] keeps no address for it; say which, "
		 "as in address = 10.0.2.20\n"},
		{"[machine a]\naddress=10.0.2.20\naddress=10.0.2.21\n",
		 "lab.conf:3: address= is given twice for one family; a "
		 "machine has one of IPv4 and one of IPv6 kept\n"},
	};

	(void)state;
	for (size_t i = 0; i < array_len(all); i++) {
		struct conf c;

		read_both(&c, all[i].text, NULL);
		assert_problems(&c, all[i].wanted);
		conf_deinit(&c);
	}
}

/* Whoever is the later one is told. */
static void test_across(void **state)
{
	struct conf a, b;
	struct conf *v[] = {&a, &b};
	struct error e = ERROR_NULL;

	(void)state;
	read_both(&a,
		  "[network]\nnet=10.77.0.0/16\n[forward]\nport=2222:22\n",
		  NULL);
	conf_init(&b, "web");
	add(&b, "web.conf",
	    "[network]\nnet=10.77.1.0/24\n[forward]\n"
	    "port=2223:22\nport=0.0.0.0:2222:22\n");
	assert_int_equal(conf_finish(&b, &e), 0);
	conf_across(v, 2);
	assert_int_equal(a.n_problems, 0);
	assert_problems(&b,
			"web.conf:2: warning: net=10.77.1.0/24: network lab "
			"has addresses of that, too (lab.conf:2); take "
			"another\n"
			"web.conf:5: warning: tcp:0.0.0.0:2222-:22: network "
			"lab forwards that port, too (lab.conf:4); take "
			"another\n");
	assert_int_equal(b.n_errors, 0);
	conf_deinit(&a);
	conf_deinit(&b);
	read_both(&a, "[network]\nmode=bridged\nbridge=br0\n", NULL);
	conf_init(&b, "web");
	add(&b, "web.conf", "[network]\nmode=bridged\nbridge=br0\n");
	assert_int_equal(conf_finish(&b, &e), 0);
	conf_across(v, 2);
	assert_problems(&b,
			"web.conf:3: warning: bridge=br0: network lab has that "
			"interface, too (lab.conf:3); take another, or join "
			"the two\n");
	conf_deinit(&a);
	conf_deinit(&b);
}

/* As many as a network can have are judged, no more, and that is said once. */
static void test_too_many_forwards(void **state)
{
	const unsigned most = 4096, more = 5000;
	char *text = NULL;
	struct conf c;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	fputs("[forward]\n", f);
	for (unsigned i = 0; i < more; i++)
		fprintf(f, "port = 127.0.0.1:%u:22\n", 1024 + i);
	fclose(f);
	read_both(&c, text, NULL);
	assert_problems(&c, "lab.conf:4098: a network can have 4096 ports "
			    "forwarded (those of localhost count twice), and "
			    "this is one too many; leave some out\n");
	assert_int_equal(c.n_rules, most);
	conf_deinit(&c);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_usual_mode),
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_drop_ins),
		cmocka_unit_test(test_all_mistakes),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_across),
		cmocka_unit_test(test_too_many_forwards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
