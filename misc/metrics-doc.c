
/*
 * Copyright (C) The ngx_mon authors
 */


/* Prints docs/metrics.md from the registry. */


#include <stdio.h>
#include <string.h>

#include "ngx_mon_registry.h"


typedef struct {
    const char        *id;
    int                skip_zero;
    const char        *names[2];
    const char      *(*values)[2];
} vec_t;


static void group(int id, const char *labels);
static void row(const char *name, const char *type, const char *unit,
    const char *vec, const char *help);
static void label(const char *name);
static void values(const vec_t *v);


#define VALUE(id, v1, v2)  { v1, v2 },

static const char  *error_values[][2] = { NGX_MON_ERROR_VALUES(VALUE) };
static const char  *cache_values[][2] = { NGX_MON_CACHE_VALUES(VALUE) };
static const char  *limit_values[][2] = { NGX_MON_LIMIT_VALUES(VALUE) };
static const char  *failure_values[][2] = { NGX_MON_FAILURE_VALUES(VALUE) };
static const char  *state_values[][2] = { NGX_MON_STATE_VALUES(VALUE) };
static const char  *check_values[][2] = { NGX_MON_CHECK_VALUES(VALUE) };
static const char  *to_values[][2] = { NGX_MON_TO_VALUES(VALUE) };
static const char  *circuit_values[][2] = { NGX_MON_CIRCUIT_VALUES(VALUE) };
static const char  *retry_values[][2] = { NGX_MON_RETRY_VALUES(VALUE) };
static const char  *quota_values[][2] = { NGX_MON_QUOTA_VALUES(VALUE) };
static const char  *protocol_values[][2] = { NGX_MON_PROTOCOL_VALUES(VALUE) };
static const char  *set_values[][2] = { { "", "" } };
static const char  *bytes_values[][2] = { NGX_MON_BYTES_VALUES(VALUE) };


#define VEC(id, n, skip, l1, l2)  { #id, skip, { l1, l2 }, id##_values },

static const vec_t  vecs[] = { NGX_MON_VECTORS(VEC) };

static const int  lengths[] = {
#define LEN(id, n, skip, l1, l2)  n,
    NGX_MON_VECTORS(LEN)
};


/* the families of each vector */

static const char  *families[][2] = {
#define FAMILY(id, name, type, merge, unit, vec, view, help)  { name, #vec },
#define FAMILIES(id, labels)  NGX_MON_##id##_ROWS(FAMILY)
    NGX_MON_GROUPS(FAMILIES)
};


static int          current;
static const char  *base;


int
main(void)
{
    size_t  i;

    printf("# Metrics\n\n"
           "Printed from the registry by `make docs`; not to be edited.\n\n"
           "Seconds are measured in microseconds. A histogram has the bounds "
           "of\n[mon_buckets](directives.md#mon_buckets). Where\n"
           "[mon_label](directives.md#mon_label) is in force, its labels are "
           "added to the\nrequest families, the gauges excepted. Families are "
           "in the order of a scrape.\n");

#define R(id, name, type, merge, unit, vec, view, help)                       \
    row(name, #type, #unit, #vec, help);
#define H(id, name, view, help)                                               \
    row(name, "HISTOGRAM", "MICRO_SECONDS", "one", help);
#define G(id, labels)                                                         \
    group(NGX_MON_G_##id, labels);                                            \
    NGX_MON_##id##_ROWS(R)                                                    \
    NGX_MON_##id##_HISTS(H)

    NGX_MON_GROUPS(G)

    printf("\n\n## Label values\n\n"
           "| family | labels | values | |\n"
           "| --- | --- | --- | --- |\n");

    for (i = 0; i < sizeof(vecs) / sizeof(vecs[0]); i++) {
        values(&vecs[i]);
    }

    return 0;
}


static void
group(int id, const char *labels)
{
    int          i;

    static struct {
        int          last;
        const char  *title;
    }  parts[] = {
        { NGX_MON_G_LOCATION, "Requests" },
        { NGX_MON_G_PANIC, "Upstreams" },
        { NGX_MON_G_WORKER, "nginx" },
        { NGX_MON_G_HOST_NETWORK, "The host" },
        { NGX_MON_NGROUPS, "The module" },
    };

    for (i = 0; id > parts[i].last; i++) { /* void */ }

    if (i + 1 != current) {
        current = i + 1;
        printf("\n\n## %s\n\n"
               "| family | type | labels | meaning |\n"
               "| --- | --- | --- | --- |\n", parts[i].title);
    }

    base = labels;
}


static void
row(const char *name, const char *type, const char *unit, const char *vec,
    const char *help)
{
    char         labels[256], *p;
    size_t       i;
    const char  *c;

    printf("| `%s` | ", name);

    for (c = type; *c; c++) {
        putchar(*c | 0x20);
    }

    if (strcmp(unit, "NONE") != 0 && strcmp(unit, "MICRO_NONE") != 0) {
        printf(", ");

        for (c = strncmp(unit, "MICRO_", 6) ? unit : unit + 6; *c; c++) {
            putchar(*c | 0x20);
        }
    }

    printf(" |");

    (void) snprintf(labels, sizeof(labels), "%s", base);

    for (p = strtok(labels, ","); p; p = strtok(NULL, ",")) {
        label(p);
    }

    for (i = 0; i < sizeof(vecs) / sizeof(vecs[0]); i++) {
        if (strcmp(vecs[i].id, vec) == 0) {
            label(vecs[i].names[0]);
            label(vecs[i].names[1]);
        }
    }

    printf(" | %s |\n", help);
}


static void
label(const char *name)
{
    if (*name) {
        printf(" `%s`", name);
    }
}


static void
values(const vec_t *v)
{
    int     i;
    size_t  n;

    if (!*v->names[0]) {
        return;
    }

    printf("|");

    for (n = 0; n < sizeof(families) / sizeof(families[0]); n++) {
        if (strcmp(families[n][1], v->id) == 0) {
            label(families[n][0]);
        }
    }

    printf(" |");
    label(v->names[0]);
    label(v->names[1]);
    printf(" |");

    for (i = 0; i < lengths[v - vecs]; i++) {
        printf("%s `%s`", i ? "," : "", v->values[i][0]);

        if (*v->values[i][1]) {
            printf(" `%s`", v->values[i][1]);
        }
    }

    printf(" | %s |\n", v->skip_zero ? "a series that is 0 is not shown" : "");
}
