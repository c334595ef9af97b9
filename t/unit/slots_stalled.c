
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * The slot that workers share: one that comes to it is not run for a while,
 * and another one comes, and counts there.
 */


#include "stall.h"
#include "zone.h"


static u_char     image[ZONE_SIZE];
static uint64_t  *gauge;


static void
slots_begin(void)
{
    ngx_memcpy(unit, image, ZONE_SIZE);
}


static void
late_claims(void)
{
    ngx_pid = getpid();
    stall_told[0] = ngx_mon_slot_claim(&cycle);
}


/* a process that lives all the while */

static ngx_uint_t
other_claims(void)
{
    ngx_uint_t  self;

    if (unit->pool.lock.lock) {
        return 0;
    }

    self = ngx_mon_self;
    ngx_pid = getppid();

    check(ngx_mon_slot_claim(&cycle) == NGX_OK);
    (void) __atomic_fetch_add(gauge, 1, __ATOMIC_RELAXED);

    ngx_mon_self = self;

    return 1;
}


static ngx_uint_t
other_counts(void)
{
    ngx_uint_t  i;

    for (i = 1; i <= unit->zone.nmembers; i++) {
        if ((ngx_pid_t) unit->zone.members[i].pid == getppid()) {
            (void) __atomic_fetch_add(gauge, 1, __ATOMIC_RELAXED);
        }
    }

    return 1;
}


static void
slots_facts(uint64_t *facts)
{
    ngx_uint_t  i;

    facts[0] = *gauge;

    for (i = 1; i <= unit->zone.nmembers; i++) {
        facts[1] += unit->zone.members[i].pid != 0;
        facts[2] += unit->zone.members[i].ready;
    }
}


static void
slots_late_claim(void **state)
{
    stall_t  s;

    ngx_memzero(&s, sizeof(s));

    s.memory = unit;
    s.size = ZONE_SIZE;
    s.begin = slots_begin;
    s.late = late_claims;
    s.others[0] = other_claims;
    s.others[1] = other_counts;
    s.facts = slots_facts;

    stall(&s, 20, 0);
}


/* all of them share a slot; a killed one has left a gauge */

static int
slots_setup(void **state)
{
    ngx_uint_t               i, n;
    ngx_mon_node_t          *node;
    const ngx_mon_metric_t  *m;

    unit_zone_init();
    unit_judge();
    check(unit_left(&unit->zone) == 0);

    unit->zone.nslots = 0;

    m = ngx_mon_metrics(&n);

    for (i = 0; i < n && m[i].merge != NGX_MON_LIVE; i++) { /* void */ }

    node = unit->zone.lists[m[i].group].other;
    gauge = &node->blocks->cells[m[i].cell];
    *gauge = 77;

    ngx_memcpy(image, unit, ZONE_SIZE);

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(slots_late_claim),
    };

    return cmocka_run_group_tests(tests, slots_setup, NULL);
}
