/* SPDX-License-Identifier: BSD-3-Clause */
/* Foreign names in a picture: what they would do to XML, they do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "cli/show_svg.h"
#include "cli/svg.h"

static void is_put(const char *text, unsigned cells, const char *expected)
{
	char *got = NULL;
	size_t len;
	FILE *f = open_memstream(&got, &len);

	assert_non_null(f);
	svg_put(f, text, cells);
	assert_int_equal(fclose(f), 0);
	assert_string_equal(got, expected);
	free(got);
}

static void test_text(void **state)
{
	(void)state;
	is_put("web", 10, "web");
	is_put("<a href='\"&'>", 40,
	       "&lt;a href=&#39;&quot;&amp;&#39;&gt;");
	is_put("a\x1b[31m\n\x7f", 40, "a?[31m??");
	is_put("\xc2\x85\xe2\x80\xae\xe2\x81\xa6\xef\xbf\xbf", 40, "????");
	is_put("\xff\xc0\x80\xed\xa0\x80", 40,
	       "&#65533;&#65533;&#65533;&#65533;&#65533;&#65533;");
	is_put("\xe2\x82", 40, "&#65533;&#65533;");
	is_put("caf\xc3\xa9", 4, "caf\xc3\xa9");
	is_put("abcdefgh", 8, "abcdefgh");
	is_put("abcdefghi", 8, "abcde...");
	is_put("<<<<<<<<<", 8, "&lt;&lt;&lt;&lt;&lt;...");
	is_put("\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2", 5, "\xe6\xbc\xa2...");
	assert_int_equal(svg_cells("\xe6\xbc\xa2\xe5\xad\x97"), 4);
	assert_int_equal(svg_cells(""), 0);
}

/* Every text of a network that is somebody else's says something bad. */
static json_t *hostile(void)
{
	static const char bad[] = "]]></text><script>\\u0001&\\u202e'";
	static const char text[] =
		"{'name':'lab','mode':'natnet','options':['smb=/%s'],"
		"'kept':true,'serving':false,'netdevs':["
		"'user,smb=/%s','bridge,br=%s','%s','hubport,hubid=0'],"
		"'subnets':[{'net':'%s',"
		"'gateway':'%s','dns':'%s'}],'forwards':[{'proto':'tcp','host':"
		"'/run/%s -> x','guest':'%s','machine':'%s'}],'tunnels':["
		"{'name':'t%s','about':'%s','mtu':0}],'machines':[{'name':'%s',"
		"'link':'stream','connected':true,'mac':'%s',"
		"'addresses':['%s'],"
		"'cable':{'up':true,'to':{'%s':'%s'}}},{'name':'b','link':'x',"
		"'connected':false,'addresses':[],'cable':{'up':false}}],"
		"'plugs':[{'name':'p','port':1,'user':0,'about':'%s'}]}";
	json_error_t why;
	char *json = NULL;
	json_t *o;
	size_t len;
	FILE *f = open_memstream(&json, &len);

	assert_non_null(f);
	for (const char *p = text; *p; p++) {
		if (*p == '\'') {
			fputc('"', f);
		} else if (*p == '%') {
			fputs(bad, f);
			p++;
		} else {
			fputc(*p, f);
		}
	}
	fclose(f);
	o = json_loads(json, 0, &why);
	assert_non_null(o);
	free(json);
	return o;
}

/* Python's parser has the last word. */
static const char judge[] =
	"python3 -c '"
	"import sys, xml.dom.minidom as m\n"
	"d = m.parse(sys.stdin)\n"
	"assert d.documentElement.tagName == \"svg\"\n"
	"assert not d.getElementsByTagName(\"script\")\n"
	"n = {k: len(d.getElementsByTagName(k))"
	" for k in (\"rect\", \"line\")}\n"
	"assert n == {\"rect\": 11, \"line\": 13}, n\n"
	"words = [t.firstChild.data for t in d.getElementsByTagName(\"text\")"
	" if t.firstChild]\n"
	"assert sum(\"]]></text><script>?&?\" in w for w in words) > 12\n"
	"assert \"the cable is pulled\" in words\n"
	"assert \"no way there\" in words'";

static void test_hostile(void **state)
{
	json_t *o = hostile();
	struct error e = ERROR_NULL;
	FILE *f = popen(judge, "w");

	(void)state;
	assert_non_null(f);
	assert_int_equal(show_svg(f, o, NULL, &e), 0);
	assert_int_equal(pclose(f), 0);
	json_decref(o);
}

/* A keeper that answers something else draws an empty network. */
static void test_nothing(void **state)
{
	json_t *o = json_object();
	struct error e = ERROR_NULL;
	char *got = NULL;
	size_t len;
	FILE *f = open_memstream(&got, &len);

	(void)state;
	assert_int_equal(show_svg(f, o, o, &e), 0);
	fclose(f);
	assert_non_null(strstr(got, "LAN of 0 machines"));
	assert_non_null(strstr(got, "</svg>\n"));
	free(got);
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
