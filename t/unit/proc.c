
/*
 * Copyright (C) The ngx_mon authors
 */


#include "unit.h"
#include "ngx_mon_proc.h"


#define TEXT(s)  (const u_char *) (s), (const u_char *) (s) + sizeof(s) - 1


#define STAT                                                                  \
    "cpu  10132153 290696 3084719 46828483 16683 0 25195 7 175628 0\n"        \
    "cpu0 1393280 32966 572056 13343292 6130 0 17875 0 23933 0\n"             \
    "intr 199292 0 0\n"

#define MEMINFO                                                               \
    "MemTotal:       16318868 kB\n"                                           \
    "MemFree:         1044156 kB\n"                                           \
    "MemAvailable:    9034512 kB\n"                                           \
    "Buffers:          651232 kB\n"

#define DISKSTATS                                                             \
    "   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"                  \
    " 259       0 nvme0n1 100 2 3000 4 500 6 7000 8 0 9 10 0 0 0 0 11 12\n"   \
    " 259       1 nvme0n1p1 1 2 3\n"                                          \
    " 104       0 cciss/c0d0 1 2 3 4 5 6 7 8 9 10 11\n"                       \
    "   8       0 sda 1 2 x 4 5 6 7 8 9 10 11\n"                              \
    "   8      16 sdb 1 2 36028797018963967 4 5 6 1 8 9 10 11\n"              \
    "   8      32 sdc 1 2 36028797018963968 4 5 6 1 8 9 10 11\n"              \
    "   8      48 sdd 1 2 3 4 5 6 7 8 9 10 11"

#define NETDEV                                                                \
    "Inter-|   Receive                         |  Transmit\n"                 \
    " face |bytes    packets errs drop fifo frame compressed multicast|"      \
    "bytes    packets errs drop fifo colls carrier compressed\n"              \
    "    lo: 22347048 23446 0 0 0 0 0 0 22347049 23446 0 0 0 0 0 0\n"         \
    "  eth0:60427401 1573 0 0 0 0 0 0 75074 904 0 0 0 0 0 0\n"                \
    "eth0:1: 18446744073709551615 3 0 0 0 0 0 0 5 6 0 0 0 0 0 0\n"            \
    "  big0: 18446744073709551616 3 0 0 0 0 0 0 5 6 0 0 0 0 0 0\n"            \
    "  few0: 1 2 3\n"                                                         \
    "   cut: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"

#define CGROUP                                                                \
    "9:name=systemd:/x\n"                                                     \
    "1:cpu,cpuacct:/y\n"                                                      \
    "0::/system.slice/nginx.service\n"


static void
assert_name(const ngx_str_t *s, const char *text)
{
    assert_int_equal(s->len, strlen(text));
    assert_memory_equal(s->data, text, s->len);
}


static void
test_cpu(void **state)
{
    uint64_t  total, idle;

    assert_int_equal(ngx_mon_proc_cpu(TEXT(STAT), &total, &idle), NGX_OK);
    assert_int_equal(idle, 46828483 + 16683);
    assert_int_equal(total, 10132153 + 290696 + 3084719 + 46828483 + 16683
                            + 0 + 25195 + 7);

    assert_int_equal(ngx_mon_proc_cpu(TEXT(""), &total, &idle), NGX_ERROR);
    assert_int_equal(ngx_mon_proc_cpu(TEXT("cpu 1 2 3 4 5 6 7\n"), &total,
                                      &idle), NGX_ERROR);
    assert_int_equal(ngx_mon_proc_cpu(TEXT("cpu0 1 2 3 4 5 6 7 8\n"), &total,
                                      &idle), NGX_ERROR);
    assert_int_equal(ngx_mon_proc_cpu(TEXT("cpu 1 2 3 4 5 6 7 8"), &total,
                                      &idle), NGX_ERROR);
}


static void
test_load(void **state)
{
    uint64_t  load;

    assert_int_equal(ngx_mon_proc_load(TEXT("0.07 0.12 0.09 1/389 7\n"),
                                       &load), NGX_OK);
    assert_int_equal(load, 70000);

    assert_int_equal(ngx_mon_proc_load(TEXT("128.5 0 0\n"), &load), NGX_OK);
    assert_int_equal(load, 128500000);

    assert_int_equal(ngx_mon_proc_load(TEXT("1 2 3\n"), &load), NGX_ERROR);
    assert_int_equal(ngx_mon_proc_load(TEXT(".5 2 3\n"), &load), NGX_ERROR);
    assert_int_equal(ngx_mon_proc_load(TEXT("1. 2 3\n"), &load), NGX_ERROR);
    assert_int_equal(ngx_mon_proc_load(TEXT("-1.5 2 3\n"), &load), NGX_ERROR);
    assert_int_equal(ngx_mon_proc_load(TEXT("1.1234567\n"), &load),
                     NGX_ERROR);
    assert_int_equal(ngx_mon_proc_load(TEXT("18446744073709551615.5\n"),
                                       &load), NGX_ERROR);
    assert_int_equal(ngx_mon_proc_load(TEXT("\n"), &load), NGX_ERROR);
}


static void
test_memory(void **state)
{
    uint64_t  total, available;

    assert_int_equal(ngx_mon_proc_memory(TEXT(MEMINFO), &total, &available),
                     NGX_OK);
    assert_int_equal(total, 16318868ULL * 1024);
    assert_int_equal(available, 9034512ULL * 1024);

    assert_int_equal(ngx_mon_proc_memory(TEXT("MemTotal: 5 kB\n"), &total,
                                         &available), NGX_ERROR);
    assert_int_equal(ngx_mon_proc_memory(
                         TEXT("MemTotal: 18446744073709551615 kB\n"
                              "MemAvailable: 1 kB\n"),
                         &total, &available), NGX_ERROR);
    assert_int_equal(ngx_mon_proc_memory(
                         TEXT("MemTotal: 5 kB\nMemAvailable:\n"),
                         &total, &available), NGX_ERROR);
}


static void
test_field(void **state)
{
    uint64_t  n;

    assert_int_equal(ngx_mon_proc_field(TEXT("anon 1\ninactive_file 77\n"),
                                        "inactive_file", &n), NGX_OK);
    assert_int_equal(n, 77);

    assert_int_equal(ngx_mon_proc_field(TEXT("inactive_file_x 1\n"),
                                        "inactive_file", &n), NGX_ERROR);
    assert_int_equal(ngx_mon_proc_field(TEXT("inactive_file 1"),
                                        "inactive_file", &n), NGX_ERROR);
}


static void
test_resident(void **state)
{
    uint64_t  pages;

    assert_int_equal(ngx_mon_proc_resident(TEXT("2048 513 400 2 0 9 0\n"),
                                           &pages), NGX_OK);
    assert_int_equal(pages, 513);

    assert_int_equal(ngx_mon_proc_resident(TEXT("2048\n"), &pages),
                     NGX_ERROR);
}


static void
test_disk(void **state)
{
    const u_char           *p, *end;
    ngx_mon_proc_device_t   d;

    p = (const u_char *) DISKSTATS;
    end = p + sizeof(DISKSTATS) - 1;

    assert_int_equal(ngx_mon_proc_disk(&p, end, &d), NGX_OK);
    assert_name(&d.name, "loop0");

    assert_int_equal(ngx_mon_proc_disk(&p, end, &d), NGX_OK);
    assert_name(&d.name, "nvme0n1");
    assert_int_equal(d.in, 3000 * 512);
    assert_int_equal(d.out, 7000 * 512);

    /* the partition of an old kernel has too few fields */

    assert_int_equal(ngx_mon_proc_disk(&p, end, &d), NGX_OK);
    assert_name(&d.name, "cciss/c0d0");

    /* neither a bad number nor one that is too large */

    assert_int_equal(ngx_mon_proc_disk(&p, end, &d), NGX_OK);
    assert_name(&d.name, "sdb");
    assert_int_equal(d.in, 36028797018963967ULL * 512);

    /* the last line may be cut */

    assert_int_equal(ngx_mon_proc_disk(&p, end, &d), NGX_DONE);
    assert_int_equal(ngx_mon_proc_disk(&p, end, &d), NGX_DONE);
}


static void
test_net(void **state)
{
    const u_char           *p, *end;
    ngx_mon_proc_device_t   d;

    p = (const u_char *) NETDEV;
    end = p + sizeof(NETDEV) - 1;

    assert_int_equal(ngx_mon_proc_net(&p, end, &d), NGX_OK);
    assert_name(&d.name, "lo");
    assert_int_equal(d.in, 22347048);
    assert_int_equal(d.out, 22347049);

    assert_int_equal(ngx_mon_proc_net(&p, end, &d), NGX_OK);
    assert_name(&d.name, "eth0");
    assert_int_equal(d.in, 60427401);
    assert_int_equal(d.out, 75074);

    assert_int_equal(ngx_mon_proc_net(&p, end, &d), NGX_OK);
    assert_name(&d.name, "eth0:1");
    assert_int_equal(d.in, UINT64_MAX);

    assert_int_equal(ngx_mon_proc_net(&p, end, &d), NGX_DONE);
}


static void
test_cgroup(void **state)
{
    uint64_t   n;
    ngx_str_t  path;

    assert_int_equal(ngx_mon_proc_cgroup(TEXT(CGROUP), &path), NGX_OK);
    assert_name(&path, "/system.slice/nginx.service");

    assert_int_equal(ngx_mon_proc_cgroup(TEXT("0::/\n"), &path), NGX_OK);
    assert_name(&path, "/");

    assert_int_equal(ngx_mon_proc_cgroup(TEXT("0::/../x\n"), &path),
                     NGX_DECLINED);
    assert_int_equal(ngx_mon_proc_cgroup(TEXT("1:cpu:/x\n"), &path),
                     NGX_DECLINED);
    assert_int_equal(ngx_mon_proc_cgroup(TEXT("0::\n"), &path), NGX_DECLINED);

    assert_int_equal(ngx_mon_proc_bytes(TEXT("max\n"), &n), NGX_DECLINED);
    assert_int_equal(ngx_mon_proc_bytes(TEXT("maximum\n"), &n), NGX_ERROR);
    assert_int_equal(ngx_mon_proc_bytes(TEXT("536870912\n"), &n), NGX_OK);
    assert_int_equal(n, 536870912);

    assert_int_equal(ngx_mon_proc_quota(TEXT("max 100000\n"), &n),
                     NGX_DECLINED);
    assert_int_equal(ngx_mon_proc_quota(TEXT("150000 100000\n"), &n), NGX_OK);
    assert_int_equal(n, 1500000);
    assert_int_equal(ngx_mon_proc_quota(TEXT("150000 0\n"), &n), NGX_ERROR);
    assert_int_equal(ngx_mon_proc_quota(TEXT("150000\n"), &n), NGX_ERROR);
    assert_int_equal(ngx_mon_proc_quota(TEXT("18446744073709551615 1\n"), &n),
                     NGX_ERROR);
}


/* everything reads the text, which has no room behind it to be read */

static void
read_all(const u_char *p, const u_char *end)
{
    uint64_t                a, b;
    ngx_str_t               path;
    const u_char           *pos;
    ngx_mon_proc_device_t   d;

    (void) ngx_mon_proc_cpu(p, end, &a, &b);
    (void) ngx_mon_proc_load(p, end, &a);
    (void) ngx_mon_proc_memory(p, end, &a, &b);
    (void) ngx_mon_proc_resident(p, end, &a);
    (void) ngx_mon_proc_bytes(p, end, &a);
    (void) ngx_mon_proc_quota(p, end, &a);

    if (ngx_mon_proc_cgroup(p, end, &path) == NGX_OK) {
        assert_true(path.data >= p && path.data + path.len < end);
    }

    for (pos = p; ngx_mon_proc_disk(&pos, end, &d) == NGX_OK; ) {
        assert_true(d.name.data >= p && d.name.data + d.name.len < end);
    }

    for (pos = p; ngx_mon_proc_net(&pos, end, &d) == NGX_OK; ) {
        assert_true(d.name.data >= p && d.name.data + d.name.len < end);
    }
}


static void
test_anything(void **state)
{
    char        *text;
    size_t       len;
    uint64_t     seed;
    ngx_uint_t   i, k, n;

    static const char  *texts[] = {
        STAT, MEMINFO, DISKSTATS, NETDEV, CGROUP, "max 100000\n",
        "0.07 0.12 0.09 1/389 7\n", "150000 100000\n"
    };

    static const char   bytes[] = "\n \t:0x9/.\0";

    seed = 0x9e3779b97f4a7c15;

    for (i = 0; i < 40000; i++) {

        n = i % (sizeof(texts) / sizeof(texts[0]));
        len = unit_random(&seed) % (strlen(texts[n]) + 1);

        text = test_malloc(len ? len : 1);
        memcpy(text, texts[n], len);

        for (k = unit_random(&seed) % 8; k && len; k--) {
            text[unit_random(&seed) % len] =
                               bytes[unit_random(&seed) % sizeof(bytes)];
        }

        read_all((u_char *) text, (u_char *) text + len);

        test_free(text);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_cpu),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_field),
        cmocka_unit_test(test_resident),
        cmocka_unit_test(test_disk),
        cmocka_unit_test(test_net),
        cmocka_unit_test(test_cgroup),
        cmocka_unit_test(test_anything)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
