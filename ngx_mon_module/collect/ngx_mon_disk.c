
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * The file systems that nginx writes to, and the block devices.
 */


#include "ngx_mon_collect.h"
#include "ngx_mon_proc.h"
#include <sys/statvfs.h>


#define NGX_MON_DISKS_MAX    16
#define NGX_MON_DEVICES_MAX  64


typedef struct {
    ngx_uint_t   n;
    ngx_str_t    path[NGX_MON_DISKS_MAX];
    dev_t        dev[NGX_MON_DISKS_MAX];
} ngx_mon_disks_t;


/* of the running configuration, from its pool */
static ngx_mon_disks_t  *ngx_mon_disks;


/* Shortens path, of a file on dev, to where its file system is mounted. */
static void
ngx_mon_disk_mount(char *path, dev_t dev)
{
    char         *p, c;
    struct stat   st;

    while (path[1] != '\0') {

        p = strrchr(path, '/');

        if (p == path) {
            p++;
        }

        c = *p;
        *p = '\0';

        if (stat(path, &st) == -1 || st.st_dev != dev) {
            *p = c;
            return;
        }
    }
}


/* Adds the file system that holds name, unless it is there. */
static ngx_int_t
ngx_mon_disk_add(ngx_mon_disks_t *d, ngx_pool_t *pool, const u_char *name)
{
    char         path[PATH_MAX];
    ngx_str_t   *mount;
    ngx_uint_t   i;
    struct stat  st;

    if (d->n == NGX_MON_DISKS_MAX
        || realpath((const char *) name, path) == NULL
        || stat(path, &st) == -1
        || !(S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)))
    {
        return NGX_OK;
    }

    for (i = 0; i < d->n; i++) {
        if (d->dev[i] == st.st_dev) {
            return NGX_OK;
        }
    }

    ngx_mon_disk_mount(path, st.st_dev);

    mount = &d->path[d->n];

    mount->len = ngx_strlen(path);
    mount->data = ngx_pnalloc(pool, mount->len + 1);

    if (mount->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(mount->data, path, mount->len + 1);
    d->dev[d->n++] = st.st_dev;

    return NGX_OK;
}


/* What nginx has open, logs above all, may lie anywhere. */
static ngx_int_t
ngx_mon_disk_add_files(ngx_mon_disks_t *d, ngx_cycle_t *cycle)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_open_file_t  *file;

    for (part = &cycle->open_files.part; part != NULL; part = part->next) {

        file = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (file[i].name.len != 0
                && ngx_mon_disk_add(d, cycle->pool, file[i].name.data)
                   != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_mon_disk_choose(ngx_cycle_t *cycle)
{
    ngx_uint_t         i;
    ngx_path_t       **path;
    ngx_mon_disks_t   *d;

    d = ngx_pcalloc(cycle->pool, sizeof(ngx_mon_disks_t));

    if (d == NULL
        || ngx_mon_disk_add(d, cycle->pool, (const u_char *) "/") != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* caches and temporary files */

    path = cycle->paths.elts;

    for (i = 0; i < cycle->paths.nelts; i++) {
        if (ngx_mon_disk_add(d, cycle->pool, path[i]->name.data) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_mon_disk_add_files(d, cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_mon_disks = d;

    return NGX_OK;
}


static void
ngx_mon_disk_space(void)
{
    ngx_uint_t         i;
    struct statvfs     fs;
    ngx_mon_series_t  *s;

    for (i = 0; i < ngx_mon_disks->n; i++) {

        if (statvfs((char *) ngx_mon_disks->path[i].data, &fs) == -1
            || fs.f_blocks == 0
            || (fs.f_flag & ST_RDONLY))
        {
            /* what can't be written is full for ever, and that is no news */
            continue;
        }

        s = ngx_mon_host_series(NGX_MON_G_HOST_DISK, &ngx_mon_disks->path[i]);

        if (s != NULL) {
            ngx_mon_set(s, NGX_MON_DISK_SIZE,
                        (int64_t) fs.f_blocks * fs.f_frsize);
            ngx_mon_set(s, NGX_MON_DISK_FREE,
                        (int64_t) fs.f_bavail * fs.f_frsize);
        }
    }
}


static ngx_uint_t
ngx_mon_disk_begins(const ngx_str_t *name, const char *text)
{
    size_t  len;

    len = ngx_strlen(text);

    return name->len >= len && ngx_memcmp(name->data, text, len) == 0;
}


/*
 * A device of its own, not a part of one, nor one that is made of memory or
 * of a file: those would count the same bytes twice.
 */
static ngx_uint_t
ngx_mon_disk_whole(const ngx_str_t *name)
{
    u_char  *p, path[128];

    if (name->len > sizeof(path) - sizeof("/sys/block/")
        || ngx_mon_disk_begins(name, "loop")
        || ngx_mon_disk_begins(name, "ram")
        || ngx_mon_disk_begins(name, "zram"))
    {
        return 0;
    }

    p = ngx_cpymem(path, "/sys/block/", sizeof("/sys/block/") - 1);
    (void) ngx_sprintf(p, "%V%Z", name);

    /* sysfs can't have a slash in a name, and has this instead */

    while ((p = (u_char *) ngx_strchr(p, '/')) != NULL) {
        *p = '!';
    }

    return access((char *) path, F_OK) == 0;
}


static void
ngx_mon_disk_devices(u_char *buf, size_t size)
{
    ssize_t                 len;
    ngx_uint_t              n;
    const u_char           *p;
    ngx_mon_series_t       *s;
    ngx_mon_proc_device_t   d;

    len = ngx_mon_host_read("/proc/diskstats", buf, size);

    if (len == NGX_ERROR) {
        return;
    }

    p = buf;
    n = 0;

    while (n < NGX_MON_DEVICES_MAX
           && ngx_mon_proc_disk(&p, buf + len, &d) == NGX_OK)
    {
        if (!ngx_mon_disk_whole(&d.name)) {
            continue;
        }

        n++;
        s = ngx_mon_host_series(NGX_MON_G_HOST_DEVICE, &d.name);

        if (s != NULL) {
            ngx_mon_set(s, NGX_MON_DISK_READ, d.in);
            ngx_mon_set(s, NGX_MON_DISK_WRITTEN, d.out);
        }
    }
}


void
ngx_mon_disk_sample(u_char *buf, size_t size)
{
    ngx_mon_disk_space();
    ngx_mon_disk_devices(buf, size);
}


static void
ngx_mon_disk_check(ngx_mon_check_t *c)
{
    uint64_t     left, least;
    ngx_uint_t   i;
    ngx_str_t   *worst;

    least = NGX_MON_HOST_UNKNOWN;
    worst = NULL;

    for (i = 0; i < ngx_mon_disks->n; i++) {

        left = ngx_mon_host_left(NGX_MON_G_HOST_DISK, &ngx_mon_disks->path[i],
                                 NGX_MON_DISK_FREE, NGX_MON_DISK_SIZE);

        if (left < least) {
            least = left;
            worst = &ngx_mon_disks->path[i];
        }
    }

    if (worst == NULL) {
        return;
    }

    ngx_mon_host_judge(c, least, 2);

    c->len = ngx_snprintf(c->message, sizeof(c->message),
                          "%uL%% free on %V", least, worst)
             - c->message;
}


void
ngx_mon_disk_init(void)
{
    ngx_mon_add_check("disk", ngx_mon_disk_check);
}
