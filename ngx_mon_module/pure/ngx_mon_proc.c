
/*
 * Copyright (C) The ngx_mon authors
 */


#include "ngx_mon_proc.h"


/* what the kernel counts disks in, whatever the device's own sectors */
#define NGX_MON_SECTOR  512


/* The next whole line; its newline is not part of it. */
static ngx_int_t
ngx_mon_proc_line(const u_char **p, const u_char *end, ngx_str_t *line)
{
    const u_char  *nl;

    if (*p >= end) {
        return NGX_DONE;
    }

    nl = memchr(*p, '\n', end - *p);

    if (nl == NULL) {
        *p = end;
        return NGX_DONE;
    }

    line->data = (u_char *) *p;
    line->len = nl - *p;

    *p = nl + 1;

    return NGX_OK;
}


/* Cuts the next word, which may be empty at the end, off the line. */
static ngx_str_t
ngx_mon_proc_word(ngx_str_t *line)
{
    u_char     *p, *last;
    ngx_str_t   word;

    p = line->data;
    last = p + line->len;

    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    word.data = p;

    while (p < last && *p != ' ' && *p != '\t') {
        p++;
    }

    word.len = p - word.data;

    line->data = p;
    line->len = last - p;

    return word;
}


static ngx_int_t
ngx_mon_proc_number(const ngx_str_t *word, uint64_t *value)
{
    size_t    i;
    u_char    c;
    uint64_t  v;

    if (word->len == 0) {
        return NGX_ERROR;
    }

    v = 0;

    for (i = 0; i < word->len; i++) {
        c = word->data[i];

        if (c < '0' || c > '9'
            || __builtin_mul_overflow(v, 10, &v)
            || __builtin_add_overflow(v, c - '0', &v))
        {
            return NGX_ERROR;
        }
    }

    *value = v;

    return NGX_OK;
}


/* Reads n numbers, words of the line one after another. */
static ngx_int_t
ngx_mon_proc_numbers(ngx_str_t *line, uint64_t *value, ngx_uint_t n)
{
    ngx_str_t   word;
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        word = ngx_mon_proc_word(line);

        if (ngx_mon_proc_number(&word, &value[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_mon_proc_is(const ngx_str_t *word, const char *text)
{
    return word->len == ngx_strlen(text)
           && ngx_memcmp(word->data, text, word->len) == 0;
}


ngx_int_t
ngx_mon_proc_cpu(const u_char *p, const u_char *end, uint64_t *total,
    uint64_t *idle)
{
    uint64_t    v[8];
    ngx_str_t   line, word;
    ngx_uint_t  i;

    if (ngx_mon_proc_line(&p, end, &line) != NGX_OK) {
        return NGX_ERROR;
    }

    word = ngx_mon_proc_word(&line);

    /*
     * user, nice, system, idle, iowait, irq, softirq, steal; what guests
     * used follows, and is part of user and nice already
     */

    if (!ngx_mon_proc_is(&word, "cpu")
        || ngx_mon_proc_numbers(&line, v, 8) != NGX_OK)
    {
        return NGX_ERROR;
    }

    *idle = v[3] + v[4];
    *total = 0;

    for (i = 0; i < 8; i++) {
        *total += v[i];
    }

    return NGX_OK;
}


ngx_int_t
ngx_mon_proc_load(const u_char *p, const u_char *end, uint64_t *load)
{
    u_char     *dot;
    uint64_t    whole, part;
    ngx_str_t   line, word, frac;
    ngx_uint_t  i;

    if (ngx_mon_proc_line(&p, end, &line) != NGX_OK) {
        return NGX_ERROR;
    }

    word = ngx_mon_proc_word(&line);
    dot = memchr(word.data, '.', word.len);

    if (dot == NULL) {
        return NGX_ERROR;
    }

    frac.data = dot + 1;
    frac.len = word.data + word.len - frac.data;
    word.len = dot - word.data;

    if (frac.len > 6
        || ngx_mon_proc_number(&word, &whole) != NGX_OK
        || ngx_mon_proc_number(&frac, &part) != NGX_OK
        || whole > NGX_MAX_INT32_VALUE)
    {
        return NGX_ERROR;
    }

    for (i = frac.len; i < 6; i++) {
        part *= 10;
    }

    *load = whole * 1000000 + part;

    return NGX_OK;
}


ngx_int_t
ngx_mon_proc_field(const u_char *p, const u_char *end, const char *name,
    uint64_t *value)
{
    ngx_str_t  line, word;

    while (ngx_mon_proc_line(&p, end, &line) == NGX_OK) {

        word = ngx_mon_proc_word(&line);

        if (ngx_mon_proc_is(&word, name)) {
            return ngx_mon_proc_numbers(&line, value, 1);
        }
    }

    return NGX_ERROR;
}


ngx_int_t
ngx_mon_proc_memory(const u_char *p, const u_char *end, uint64_t *total,
    uint64_t *available)
{
    if (ngx_mon_proc_field(p, end, "MemTotal:", total) != NGX_OK
        || ngx_mon_proc_field(p, end, "MemAvailable:", available) != NGX_OK
        || __builtin_mul_overflow(*total, 1024, total)
        || __builtin_mul_overflow(*available, 1024, available))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_mon_proc_resident(const u_char *p, const u_char *end, uint64_t *pages)
{
    uint64_t   v[2];
    ngx_str_t  line;

    if (ngx_mon_proc_line(&p, end, &line) != NGX_OK
        || ngx_mon_proc_numbers(&line, v, 2) != NGX_OK)
    {
        return NGX_ERROR;
    }

    *pages = v[1];

    return NGX_OK;
}


ngx_int_t
ngx_mon_proc_disk(const u_char **p, const u_char *end,
    ngx_mon_proc_device_t *d)
{
    uint64_t   v[7];
    ngx_str_t  line;

    while (ngx_mon_proc_line(p, end, &line) == NGX_OK) {

        if (ngx_mon_proc_numbers(&line, v, 2) != NGX_OK) {
            continue;
        }

        d->name = ngx_mon_proc_word(&line);

        /* reads, merged, sectors, ms; writes, merged, sectors */

        if (d->name.len == 0
            || ngx_mon_proc_numbers(&line, v, 7) != NGX_OK
            || __builtin_mul_overflow(v[2], NGX_MON_SECTOR, &d->in)
            || __builtin_mul_overflow(v[6], NGX_MON_SECTOR, &d->out))
        {
            continue;
        }

        return NGX_OK;
    }

    return NGX_DONE;
}


ngx_int_t
ngx_mon_proc_net(const u_char **p, const u_char *end,
    ngx_mon_proc_device_t *d)
{
    size_t     n;
    uint64_t   v[9];
    ngx_str_t  line;

    while (ngx_mon_proc_line(p, end, &line) == NGX_OK) {

        /* a name may hold a colon itself, a number can't */

        for (n = line.len; n != 0 && line.data[n - 1] != ':'; n--) { /**/ }

        if (n == 0) {
            continue;
        }

        d->name.data = line.data;
        d->name.len = n - 1;

        line.data += n;
        line.len -= n;

        while (d->name.len != 0 && *d->name.data == ' ') {
            d->name.data++;
            d->name.len--;
        }

        /* received: bytes, packets and six more; sent: bytes */

        if (d->name.len == 0
            || ngx_mon_proc_numbers(&line, v, 9) != NGX_OK)
        {
            continue;
        }

        d->in = v[0];
        d->out = v[8];

        return NGX_OK;
    }

    return NGX_DONE;
}


ngx_int_t
ngx_mon_proc_cgroup(const u_char *p, const u_char *end, ngx_str_t *path)
{
    ngx_str_t  line;

    while (ngx_mon_proc_line(&p, end, &line) == NGX_OK) {

        if (line.len < 4 || ngx_memcmp(line.data, "0::/", 4) != 0) {
            continue;
        }

        path->data = line.data + 3;
        path->len = line.len - 3;

        /* a group outside of what this namespace sees */

        if (path->len >= 3 && ngx_memcmp(path->data, "/..", 3) == 0) {
            return NGX_DECLINED;
        }

        return NGX_OK;
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_mon_proc_bytes(const u_char *p, const u_char *end, uint64_t *bytes)
{
    ngx_str_t  line, word;

    if (ngx_mon_proc_line(&p, end, &line) != NGX_OK) {
        return NGX_ERROR;
    }

    word = ngx_mon_proc_word(&line);

    if (ngx_mon_proc_is(&word, "max")) {
        return NGX_DECLINED;
    }

    return ngx_mon_proc_number(&word, bytes);
}


ngx_int_t
ngx_mon_proc_quota(const u_char *p, const u_char *end, uint64_t *cpus)
{
    uint64_t   quota, period;
    ngx_str_t  line, word;

    if (ngx_mon_proc_line(&p, end, &line) != NGX_OK) {
        return NGX_ERROR;
    }

    word = ngx_mon_proc_word(&line);

    if (ngx_mon_proc_is(&word, "max")) {
        return NGX_DECLINED;
    }

    if (ngx_mon_proc_number(&word, &quota) != NGX_OK
        || ngx_mon_proc_numbers(&line, &period, 1) != NGX_OK
        || period == 0
        || __builtin_mul_overflow(quota, 1000000, cpus))
    {
        return NGX_ERROR;
    }

    *cpus /= period;

    return NGX_OK;
}
