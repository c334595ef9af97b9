
/*
 * Copyright (C) The ngx_mon authors
 */


/*
 * Permits that many processes share: of an entry so many are held at a time,
 * and who finds none may wait for one in a queue.  All of it stands in
 * memory that the processes share, and holds whatever process is killed at
 * whatever instruction.
 *
 * How many permits of an entry are held, and how many wait, is one word that
 * changes by compare-and-swap.  Each permit, held or waited for, has a node,
 * which says what it is and whose; the nodes are the truth when a process is
 * gone.  Queues are lists of nodes, changed under a lock that is taken over
 * from who is gone; then the list is made anew from the nodes.
 *
 * The instructions between the word and the node: a process says first what
 * it is about to do (pending), with a number that goes into the word, too;
 * and who is about to replace such a word first marks that it was there
 * (ngx_mon_permit_swap()).  So it can be told whether it was done.
 *
 * While anybody waits for an entry nobody takes a permit of it but from the
 * head of its queue.
 */


#ifndef _NGX_MON_PERMIT_H_INCLUDED_
#define _NGX_MON_PERMIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* bits 0-19 held, 20-39 waiting, 40-49 the last process, 50-63 its number */
#define NGX_MON_PERMIT_MAX      0xffff0
#define NGX_MON_PERMIT_PROCS    1023

/* the word of an entry that is not there: see ngx_mon_keys.h */
#define NGX_MON_PERMIT_GONE     ((uint64_t) -1)

#define NGX_MON_PERMIT_MAGIC    0x70726d31

/* the entry of a node is about to be made */
#define NGX_MON_PERMIT_NEW      ((uint32_t) -1)

#define NGX_MON_PERMIT_WOKEN    8

/* what a node is */
#define NGX_MON_PERMIT_FREE     0
#define NGX_MON_PERMIT_HELD     1
#define NGX_MON_PERMIT_WAITING  2
/* held after it has waited, and its process may not know yet */
#define NGX_MON_PERMIT_GRANTED  3

/* what a process is about to do with a node */
#define NGX_MON_PERMIT_TAKE     1
#define NGX_MON_PERMIT_GIVE     2
#define NGX_MON_PERMIT_GRANT    3


/* as a key's word and aux */

typedef struct {
    uint64_t                 word;
    /* the queue: the number of its first node, and that of its last above */
    uint64_t                 ends;
} ngx_mon_permit_entry_t;


typedef struct {
    uint32_t                 state;
    uint32_t                 owner;
    uint32_t                 entry;
    /* below it in the mailbox of its owner */
    uint32_t                 mail;
    uint32_t                 prev;
    uint32_t                 next;
    uint64_t                 ticket;
} ngx_mon_permit_node_t;


typedef struct {
    uint64_t                 pid;
    /* when the process began, 0: not known */
    uint64_t                 start;
    /* bits 0-27 the node, 28-30 what, 31 it was done, 32-63 the number */
    uint64_t                 pending;
    /* granted nodes that the process is to look at */
    uint32_t                 mail;
    /* the caller's: how the process is woken */
    uint32_t                 wake;
    uint64_t                 reserved[4];
} ngx_mon_permit_proc_t;


/* numbers of nodes and processes begin with 1 */

typedef struct {
    uint32_t                 magic;
    uint32_t                 nnodes;
    /* those from 1 to top have been in use */
    uint32_t                 top;
    uint32_t                 free;
    /* of the process that has the lock: pid 22 | number 10 */
    uint32_t                 lock;
    /* the entry whose queue it is at */
    uint32_t                 at;
    uint64_t                 ticket;
    /* permits of an entry */
    uint64_t                 limit;
    ngx_mon_permit_entry_t   entry;
    ngx_mon_permit_proc_t    procs[NGX_MON_PERMIT_PROCS];
    ngx_mon_permit_node_t    nodes[];
} ngx_mon_permit_shared_t;


/* the layout is read by processes of other configurations */
_Static_assert(sizeof(ngx_mon_permit_node_t) == 32, "ngx_mon_permit_node_t");
_Static_assert(sizeof(ngx_mon_permit_proc_t) == 64, "ngx_mon_permit_proc_t");


typedef struct ngx_mon_permit_s  ngx_mon_permit_t;

/* Whether the process of that pid and start is gone; 0: by its pid alone. */
typedef ngx_uint_t (*ngx_mon_permit_gone_pt)(uint64_t pid, uint64_t start);

/* A process has got mail, and had none. */
typedef void (*ngx_mon_permit_wake_pt)(ngx_mon_permit_t *p,
    const ngx_mon_permit_proc_t *proc);


/* private to a process; its caller fills the first part */

struct ngx_mon_permit_s {
    ngx_mon_permit_shared_t *shared;
    /* of nentries, so far apart; else the one of shared */
    u_char                  *entries;
    size_t                   stride;
    ngx_uint_t               nentries;
    ngx_mon_permit_gone_pt   gone;
    ngx_mon_permit_wake_pt   wake;

    /* its own: what it is, and free nodes that it has */
    uint32_t                 self;
    uint32_t                 number;
    uint32_t                 free;
    ngx_uint_t               nfree;

    /* processes to be woken when the lock is free */
    ngx_uint_t               nwoken;
    uint32_t                 woken[NGX_MON_PERMIT_WOKEN];
};


/* ngx_mon_permit.c */

/* The bytes of shared memory for so many nodes, 1 to NGX_MON_PERMIT_MAX. */
size_t ngx_mon_permit_size(ngx_uint_t nnodes);

/* Makes it, where nobody sees it yet; the memory behind procs is zeros. */
void ngx_mon_permit_init(ngx_mon_permit_shared_t *s, ngx_uint_t nnodes);

/*
 * Becomes one of its processes, see ngx_mon_permit_proc_t.  NGX_DECLINED:
 * there are too many.
 */
ngx_int_t ngx_mon_permit_claim(ngx_mon_permit_t *p, uint64_t pid,
    uint64_t start, uint32_t wake);

/* Gives everything back, and is none of its processes any more. */
void ngx_mon_permit_leave(ngx_mon_permit_t *p);

/* The number of a free node, of this process from then on; 0: no room. */
uint32_t ngx_mon_permit_node(ngx_mon_permit_t *p);

/* A node that is neither held nor waiting is of no use any more. */
void ngx_mon_permit_drop(ngx_mon_permit_t *p, uint32_t node);

/*
 * Takes a permit of an entry for a free node.  word is what the word of the
 * entry has just been.  NGX_OK; NGX_BUSY: there is none to be taken, or others
 * wait; NGX_AGAIN: the word has changed, nothing was done.
 */
ngx_int_t ngx_mon_permit_take(ngx_mon_permit_t *p, uint32_t entry,
    uint32_t node, uint64_t word);

/*
 * Takes a permit where there is but one entry, if that can be done at once:
 * the number of the node, or 0.
 */
uint32_t ngx_mon_permit_quick(ngx_mon_permit_t *p);

/*
 * As ngx_mon_permit_take(), of an entry that is not there: it is to be made
 * with the word that ngx_mon_permit_new() returns; then _made() is called, or,
 * when somebody else has made it or it can't be, ngx_mon_permit_end().
 */
uint64_t ngx_mon_permit_new(ngx_mon_permit_t *p, uint32_t node);
void ngx_mon_permit_made(ngx_mon_permit_t *p, uint32_t node, uint32_t entry);

/*
 * Whether an entry may be replaced: none is held, nobody waits, and it is
 * known of the last process that it knows so.
 */
ngx_uint_t ngx_mon_permit_idle(const ngx_mon_permit_t *p,
    const ngx_mon_permit_entry_t *e, uint64_t word);

/* Gives the permit of a node back, and drops the node. */
void ngx_mon_permit_give(ngx_mon_permit_t *p, uint32_t node);

/* What the node is just now: NGX_MON_PERMIT_FREE .. _GRANTED. */
ngx_uint_t ngx_mon_permit_state(ngx_mon_permit_t *p, uint32_t node);

/*
 * For the functions below: changes the word from w to that many held and
 * waiting, as announced by ngx_mon_permit_begin().  1, or 0: it is no longer
 * w.
 */
ngx_uint_t ngx_mon_permit_swap(ngx_mon_permit_t *p, uint32_t entry,
    uint64_t w, uint64_t held, uint64_t waiting);
void ngx_mon_permit_begin(ngx_mon_permit_t *p, ngx_uint_t what,
    uint32_t node, uint64_t w);
void ngx_mon_permit_end(ngx_mon_permit_t *p);


/* ngx_mon_permit_queue.c */

/*
 * Takes a permit, or waits for one at the end of the queue, unless max wait
 * already.  NGX_OK: taken; NGX_DONE: waits; NGX_BUSY; NGX_AGAIN, as above.
 */
ngx_int_t ngx_mon_permit_join(ngx_mon_permit_t *p, uint32_t entry,
    uint32_t node, uint64_t word, uint64_t max);

/*
 * Waits no more: NGX_OK, and the node is dropped; or NGX_DECLINED: it was
 * granted a permit.  Then, as after ngx_mon_permit_granted(), what is in the
 * mailbox is to be read before that is given back.
 */
ngx_int_t ngx_mon_permit_quit(ngx_mon_permit_t *p, uint32_t node);

/* Whether a node that waited has got a permit, mail or no mail. */
ngx_uint_t ngx_mon_permit_granted(ngx_mon_permit_t *p, uint32_t node);

/*
 * The next node in the mailbox of this process, or 0: *chain, 0 at first, is
 * to be given back until then.  Its permit may be gone again.
 */
uint32_t ngx_mon_permit_mail(ngx_mon_permit_t *p, uint32_t *chain);

/* Sets the limit, 1 to NGX_MON_PERMIT_MAX; for what it adds see _serve(). */
void ngx_mon_permit_limit(ngx_mon_permit_shared_t *s, uint64_t limit);

/* Grants what is to be had to those that wait, of all entries. */
void ngx_mon_permit_serve(ngx_mon_permit_t *p);

/* The lock: under it permits of the entry are granted. */
void ngx_mon_permit_lock(ngx_mon_permit_t *p);
void ngx_mon_permit_unlock(ngx_mon_permit_t *p);
void ngx_mon_permit_grant_locked(ngx_mon_permit_t *p, uint32_t entry);

/* Appends a node to the queue of its entry, or takes it out. */
void ngx_mon_permit_link_locked(ngx_mon_permit_t *p, uint32_t node);
void ngx_mon_permit_unlink_locked(ngx_mon_permit_t *p, uint32_t node);

/* Takes the waiting node out, and its one off the word. */
void ngx_mon_permit_quit_locked(ngx_mon_permit_t *p, uint32_t node);

/* Gives a permit back; the node is free then, and its owner's still. */
void ngx_mon_permit_give_locked(ngx_mon_permit_t *p, uint32_t node);


/* ngx_mon_permit_repair.c */

/* The one before was killed with the lock: puts all in order. */
void ngx_mon_permit_repair_locked(ngx_mon_permit_t *p);

/*
 * Takes back what processes hold that are gone, and grants it to others; with
 * reused set also of those whose pid another one has got, which takes longer.
 * Returns how many they were.
 */
ngx_uint_t ngx_mon_permit_recover(ngx_mon_permit_t *p, ngx_uint_t reused);

/* The same for one process, gone or not, which remains one. */
void ngx_mon_permit_recover_locked(ngx_mon_permit_t *p, uint32_t proc);


typedef struct {
    uint64_t                 held;
    uint64_t                 waiting;
} ngx_mon_permit_facts_t;

/* Counts the permits of all entries. */
void ngx_mon_permit_facts(ngx_mon_permit_t *p, ngx_mon_permit_facts_t *f);


/* for the files of this */

static ngx_inline uint64_t
ngx_mon_permit_held(uint64_t w)
{
    return w & 0xfffff;
}


static ngx_inline uint64_t
ngx_mon_permit_waiting(uint64_t w)
{
    return w >> 20 & 0xfffff;
}


static ngx_inline uint32_t
ngx_mon_permit_by(uint64_t w)
{
    return w >> 40 & 0x3ff;
}


static ngx_inline uint32_t
ngx_mon_permit_number(uint64_t w)
{
    return w >> 50;
}


/* shared memory is not trusted: NULL where there is no such entry */

static ngx_inline ngx_mon_permit_entry_t *
ngx_mon_permit_entry(ngx_mon_permit_t *p, uint32_t entry)
{
    if (p->entries == NULL) {
        return &p->shared->entry;
    }

    return entry < p->nentries
           ? (ngx_mon_permit_entry_t *) (p->entries + entry * p->stride)
           : NULL;
}


static ngx_inline uint64_t
ngx_mon_permit_word(ngx_mon_permit_t *p, uint32_t entry)
{
    ngx_mon_permit_entry_t  *e;

    e = ngx_mon_permit_entry(p, entry);

    return e ? __atomic_load_n(&e->word, __ATOMIC_ACQUIRE)
             : NGX_MON_PERMIT_GONE;
}


static ngx_inline ngx_mon_permit_node_t *
ngx_mon_permit_at(ngx_mon_permit_t *p, uint32_t node)
{
    return node && node <= p->shared->nnodes ? &p->shared->nodes[node - 1]
                                             : NULL;
}


static ngx_inline ngx_mon_permit_proc_t *
ngx_mon_permit_proc(ngx_mon_permit_t *p, uint32_t proc)
{
    return proc && proc <= NGX_MON_PERMIT_PROCS ? &p->shared->procs[proc - 1]
                                                : NULL;
}


/* what others, or who comes after a crash, must see in this order */

static ngx_inline void
ngx_mon_permit_set(uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}


static ngx_inline uint32_t
ngx_mon_permit_get(uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}


#endif /* _NGX_MON_PERMIT_H_INCLUDED_ */
