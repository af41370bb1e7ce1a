#include "ingest/match.h"

#include <stdlib.h>
#include <uthash.h>

#include "base/mem.h"
#include "base/str.h"

#include "base/banned.h"

enum { EMAILS = 2, LOCAL_PART_LEAST = 3 };

/* An account with each text as a number, so that comparing is cheap; 0: unknown. */
struct node {
    int32_t id;
    int server, account, plex_id, plex_login, emails[EMAILS], name, loose, local_parts[EMAILS];
    bool is_shared;
    size_t group; /* the index of the first account that it is one person with */
};

/* A reason to join two accounts, by index; a < b. */
struct edge {
    size_t a, b;
    enum match_why why;
    bool is_dead; /* of the level that is being joined */
};

/* The nodes of each label, ascending: first[label], then next[node] until NONE. */
struct chains {
    size_t *first, *next;
};
#define NONE SIZE_MAX

struct word {
    UT_hash_handle hh;
    int number;
    char text[];
};

struct match {
    struct node *nodes; /* by id */
    size_t count;
    struct match_hand *hands; /* by (a, b), ids, a < b */
    size_t hand_count;
    struct edge *edges; /* of the level, or all pairs with a reason */
    size_t edge_count, edge_room;
    size_t *component; /* of each node: the first node of what the level would make of its group */
    struct chains of_group, of_component;
    struct word *words;
    size_t (*asked)[2]; /* pairs of which is known whether they watched apart; by index */
    bool *is_apart;
    size_t asked_count, asked_room;
    struct match_pair *pairs;
    size_t pair_count, pair_room;
};

static const char *const why_words[] = {
    [WHY_HAND] = "hand", [WHY_ISSUER] = "issuer", [WHY_EMAIL] = "email", [WHY_NAME] = "name",
    [WHY_SIMILAR] = "similar_name", [WHY_EMAIL_NAME] = "email_name"};
static const char *const against_words[] = {
    [AGAINST_NOTHING] = "", [AGAINST_HAND] = "hand", [AGAINST_PLEX_ID] = "plex_id",
    [AGAINST_EMAIL] = "email", [AGAINST_SERVER] = "server", [AGAINST_PLACES] = "places",
    [AGAINST_SHARED] = "shared_name", [AGAINST_OTHERS] = "others",
    [AGAINST_LIKENESS] = "likeness"};

const char *match_why_word(enum match_why w)
{
    return why_words[w];
}

const char *match_against_word(enum match_against a)
{
    return against_words[a];
}

/* One that many unrelated people have, or none. */
static bool is_shared_name(const char *name)
{
    static const char *const shared[] = {
#define SHARED_NAME(text) text,
#include "ingest/shared_names.def"
#undef SHARED_NAME
    };
    for (size_t i = 0; i < ARRAY_LEN(shared); i++)
        if (streq(name, shared[i]))
            return true;
    return *name == '\0';
}

/* --- reading ------------------------------------------------------------------------------- */

static int number_of(struct match *m, const char *text)
{
    struct word *w = NULL;
    size_t len = strlen(text);
    if (!len)
        return 0;
    HASH_FIND(hh, m->words, text, len, w);
    if (w)
        return w->number;
    w = xcalloc(1, sizeof *w + len + 1);
    memcpy(w->text, text, len);
    w->number = (int)HASH_COUNT(m->words) + 1;
    HASH_ADD_KEYPTR(hh, m->words, w->text, len, w);
    return w->number;
}

static bool is_email(const char *text)
{
    const char *at = strchr(text, '@');
    return at && at != text && at[1];
}

/* What stands before the @, where it is long enough to mean somebody. */
static int local_part(struct match *m, const char *email)
{
    auto_free char *text = xstrndup(email, strcspn(email, "@"));
    return strlen(text) >= LOCAL_PART_LEAST && !is_shared_name(text) ? number_of(m, text) : 0;
}

static struct node read_account(struct match *m, const struct match_account *a)
{
    auto_free char *full = xasprintf("%s\x1f%s", a->server, a->key);
    struct node n = {.id = a->id,
                     .server = number_of(m, a->server),
                     .account = number_of(m, full),
                     .plex_id = number_of(m, a->plex_id),
                     .plex_login = number_of(m, a->plex_login),
                     .name = number_of(m, a->name),
                     .loose = number_of(m, a->loose_name),
                     .is_shared = is_shared_name(a->loose_name) || !*a->name};
    const char *const emails[EMAILS] = {a->email, is_email(a->plex_login) ? a->plex_login : ""};
    for (size_t i = 0; i < EMAILS; i++) {
        n.emails[i] = number_of(m, emails[i]);
        n.local_parts[i] = local_part(m, emails[i]);
    }
    return n;
}

static int by_node_id(const void *a, const void *b)
{
    const struct node *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static int by_hand(const void *a, const void *b)
{
    const struct match_hand *x = a, *y = b;
    if (x->a != y->a)
        return (x->a > y->a) - (x->a < y->a);
    return (x->b > y->b) - (x->b < y->b);
}

/* --- what is between two ------------------------------------------------------------------- */

static const struct match_hand *hand_of(const struct match *m, const struct node *a,
                                        const struct node *b)
{
    struct match_hand key = {.a = a->id < b->id ? a->id : b->id, .b = a->id < b->id ? b->id : a->id};
    if (!m->hand_count)
        return NULL;
    return bsearch(&key, m->hands, m->hand_count, sizeof key, by_hand);
}

static bool is_same_issued(const struct node *a, const struct node *b)
{
    if (a->account == b->account)
        return true;
    if (a->plex_id && b->plex_id)
        return a->plex_id == b->plex_id;
    return a->plex_login && a->plex_login == b->plex_login;
}

static bool is_other_plex(const struct node *a, const struct node *b)
{
    if (a->plex_id && b->plex_id)
        return a->plex_id != b->plex_id;
    return a->plex_login && b->plex_login && a->plex_login != b->plex_login;
}

static bool has_email(const struct node *n)
{
    return n->emails[0] || n->emails[1];
}

static bool is_same_email(const struct node *a, const struct node *b)
{
    for (size_t i = 0; i < EMAILS; i++)
        for (size_t k = 0; k < EMAILS; k++)
            if (a->emails[i] && a->emails[i] == b->emails[k])
                return true;
    return false;
}

/* What forbids that the two are one person, however they would become it. */
static enum match_against contradiction(const struct match *m, const struct node *a,
                                        const struct node *b)
{
    const struct match_hand *h = hand_of(m, a, b);
    if (h)
        return h->is_together ? AGAINST_NOTHING : AGAINST_HAND;
    if (is_same_issued(a, b) || is_same_email(a, b))
        return AGAINST_NOTHING;
    if (is_other_plex(a, b))
        return AGAINST_PLEX_ID;
    return has_email(a) && has_email(b) ? AGAINST_EMAIL : AGAINST_NOTHING;
}

static int by_pair(const void *a, const void *b)
{
    const size_t *x = a, *y = b;
    if (x[0] != y[0])
        return (x[0] > y[0]) - (x[0] < y[0]);
    return (x[1] > y[1]) - (x[1] < y[1]);
}

static bool watched_apart(const struct match *m, size_t a, size_t b)
{
    size_t key[2] = {a < b ? a : b, a < b ? b : a};
    if (!m->asked_count || !m->is_apart)
        return false;
    const size_t(*found)[2] = bsearch(key, m->asked, m->asked_count, sizeof key, by_pair);
    return found && m->is_apart[found - m->asked];
}

/* The same where a name is all there is to join them. */
static enum match_against doubt(const struct match *m, size_t a, size_t b)
{
    const struct node *x = &m->nodes[a], *y = &m->nodes[b];
    enum match_against against = contradiction(m, x, y);
    const struct match_hand *h = hand_of(m, x, y);
    if (against != AGAINST_NOTHING || (h && h->is_together))
        return against;
    if (is_same_issued(x, y) || is_same_email(x, y))
        return AGAINST_NOTHING;
    if (x->server == y->server)
        return AGAINST_SERVER;
    return watched_apart(m, a, b) ? AGAINST_PLACES : AGAINST_NOTHING;
}

static enum match_against against_of(const struct match *m, enum match_why level, size_t a,
                                     size_t b)
{
    return level == WHY_NAME ? doubt(m, a, b) : contradiction(m, &m->nodes[a], &m->nodes[b]);
}

/* --- a level ------------------------------------------------------------------------------- */

static void chains_done(struct chains *c)
{
    free(c->first);
    free(c->next);
    *c = (struct chains){0};
}

/* label(i) of each node; labels are below `labels`, but for those that are left out: NONE. */
static struct chains chains_of(size_t count, size_t labels, const size_t *label)
{
    struct chains c = {xcalloc(labels + 1, sizeof *c.first), xcalloc(count + 1, sizeof *c.next)};
    for (size_t i = 0; i <= labels; i++)
        c.first[i] = NONE;
    for (size_t i = count; i-- > 0;) {
        if (label[i] == NONE)
            continue;
        c.next[i] = c.first[label[i]];
        c.first[label[i]] = i;
    }
    return c;
}

static void chain_groups(struct match *m)
{
    auto_free size_t *label = xcalloc(m->count + 1, sizeof *label);
    for (size_t i = 0; i < m->count; i++)
        label[i] = m->nodes[i].group;
    chains_done(&m->of_group);
    m->of_group = chains_of(m->count, m->count, label);
}

static size_t root_of(size_t *parents, size_t i)
{
    while (parents[i] != i)
        i = parents[i] = parents[parents[i]];
    return i;
}

static void find_components(struct match *m)
{
    for (size_t i = 0; i < m->count; i++)
        m->component[i] = m->nodes[i].group;
    for (size_t i = 0; i < m->edge_count; i++) {
        if (m->edges[i].is_dead)
            continue;
        size_t a = root_of(m->component, m->edges[i].a), b = root_of(m->component, m->edges[i].b);
        m->component[a > b ? a : b] = a < b ? a : b;
    }
    for (size_t i = 0; i < m->count; i++)
        m->component[i] = root_of(m->component, i);
    chains_done(&m->of_component);
    m->of_component = chains_of(m->count, m->count, m->component);
}

/* Whether anything is between two groups that the level would make one. */
static bool is_contradicted(const struct match *m, enum match_why level, size_t group_a,
                            size_t group_b)
{
    for (size_t i = m->of_group.first[group_a]; i != NONE; i = m->of_group.next[i])
        for (size_t k = m->of_group.first[group_b]; k != NONE; k = m->of_group.next[k])
            if (against_of(m, level, i, k) != AGAINST_NOTHING)
                return true;
    return false;
}

/* The groups of a component, in order. The caller frees *ret; NULL where it is one group. */
static size_t groups_of(const struct match *m, size_t component, size_t **ret)
{
    size_t count = 0, room = 0;
    *ret = NULL;
    for (size_t i = m->of_component.first[component]; i != NONE; i = m->of_component.next[i])
        if (m->nodes[i].group != component)
            count++;
    if (!count)
        return 1;
    count = 0;
    for (size_t i = m->of_component.first[component]; i != NONE; i = m->of_component.next[i])
        if (m->nodes[i].group == i)
            *GROW(*ret, count, room) = i;
    return count;
}

static bool has_edge(const struct match *m, size_t group_a, size_t group_b)
{
    for (size_t i = 0; i < m->edge_count; i++) {
        size_t a = m->nodes[m->edges[i].a].group, b = m->nodes[m->edges[i].b].group;
        if (!m->edges[i].is_dead &&
            ((a == group_a && b == group_b) || (a == group_b && b == group_a)))
            return true;
    }
    return false;
}

/* Takes out of a component what leads to a contradiction: a group between two that cannot be one
 * (whose of the two it is, nobody can say); else, in a longer chain, every edge. False: it has none. */
static bool break_component(struct match *m, enum match_why level, size_t component)
{
    auto_free size_t *groups = NULL;
    size_t count = groups_of(m, component, &groups);
    if (count < 2)
        return false;
    auto_free bool *is_between = xcalloc(m->count, sizeof *is_between);
    bool is_broken = false, has_between = false;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = i + 1; k < count; k++) {
            if (!is_contradicted(m, level, groups[i], groups[k]))
                continue;
            is_broken = true;
            for (size_t g = 0; g < count; g++) {
                if (g == i || g == k || is_between[groups[g]] ||
                    !has_edge(m, groups[g], groups[i]) || !has_edge(m, groups[g], groups[k]))
                    continue;
                is_between[groups[g]] = has_between = true;
            }
        }
    }
    for (size_t i = 0; is_broken && i < m->edge_count; i++) {
        struct edge *e = &m->edges[i];
        size_t a = m->nodes[e->a].group, b = m->nodes[e->b].group;
        if (m->component[e->a] == component && (!has_between || is_between[a] || is_between[b]))
            e->is_dead = true;
    }
    return is_broken;
}

static void join_level(struct match *m, enum match_why level)
{
    for (size_t i = 0; i < m->edge_count; i++) {
        struct edge *e = &m->edges[i];
        e->is_dead = is_contradicted(m, level, m->nodes[e->a].group, m->nodes[e->b].group);
    }
    for (bool is_broken = true; is_broken;) {
        is_broken = false;
        find_components(m);
        for (size_t i = 0; i < m->count; i++)
            if (m->component[i] == i && break_component(m, level, i))
                is_broken = true;
    }
    for (size_t i = 0; i < m->count; i++)
        m->nodes[i].group = m->component[i];
    chain_groups(m);
}

/* By hand there is always an answer: the newest decision first. */
static int newest_first(const void *a, const void *b)
{
    const struct match_hand *x = a, *y = b;
    if (x->decision != y->decision)
        return (x->decision < y->decision) - (x->decision > y->decision);
    return by_hand(a, b);
}

static size_t index_of(const struct match *m, int32_t id)
{
    struct node key = {.id = id};
    const struct node *n = bsearch(&key, m->nodes, m->count, sizeof key, by_node_id);
    return n ? (size_t)(n - m->nodes) : m->count;
}

static bool is_parted_by_hand(const struct match *m, size_t group_a, size_t group_b)
{
    for (size_t i = 0; i < m->hand_count; i++) {
        const struct match_hand *h = &m->hands[i];
        size_t a = index_of(m, h->a), b = index_of(m, h->b);
        if (h->is_together || a == m->count || b == m->count)
            continue;
        size_t x = m->nodes[a].group, y = m->nodes[b].group;
        if ((x == group_a && y == group_b) || (x == group_b && y == group_a))
            return true;
    }
    return false;
}

static void join_by_hand(struct match *m)
{
    auto_free struct match_hand *sorted = xcalloc(m->hand_count + 1, sizeof *sorted);
    if (m->hand_count)
        memcpy(sorted, m->hands, m->hand_count * sizeof *sorted);
    qsort(sorted, m->hand_count, sizeof *sorted, newest_first);
    for (size_t i = 0; i < m->hand_count; i++) {
        size_t a = index_of(m, sorted[i].a), b = index_of(m, sorted[i].b);
        if (!sorted[i].is_together || a == m->count || b == m->count)
            continue;
        size_t x = m->nodes[a].group, y = m->nodes[b].group;
        if (x == y || is_parted_by_hand(m, x, y))
            continue;
        for (size_t k = 0; k < m->count; k++)
            if (m->nodes[k].group == (x > y ? x : y))
                m->nodes[k].group = x < y ? x : y;
    }
}

/* --- reasons ------------------------------------------------------------------------------- */

static bool has_local_part(const struct node *a, const struct node *b)
{
    for (size_t i = 0; i < EMAILS; i++)
        if (a->local_parts[i] && (a->local_parts[i] == b->name || a->local_parts[i] == b->loose))
            return true;
    return false;
}

/* The strongest reason to take the two for one; 0: none. */
static enum match_why why_of(const struct match *m, const struct node *a, const struct node *b)
{
    const struct match_hand *h = hand_of(m, a, b);
    if (h && h->is_together)
        return WHY_HAND;
    if (is_same_issued(a, b))
        return WHY_ISSUER;
    if (is_same_email(a, b))
        return WHY_EMAIL;
    if (a->name && a->name == b->name)
        return WHY_NAME;
    if (a->server == b->server)
        return 0;
    if (a->loose && a->loose == b->loose && !a->is_shared)
        return WHY_SIMILAR;
    return has_local_part(a, b) || has_local_part(b, a) ? WHY_EMAIL_NAME : 0;
}

/* What two accounts may have in common, as a number; 0: nothing. */
enum feature { F_ACCOUNT, F_PLEX_ID, F_PLEX_LOGIN, F_EMAIL_0, F_EMAIL_1, F_NAME, F_LOOSE, F_LOCAL_0,
               F_LOCAL_1, FEATURES };

static int feature_of(const struct node *n, enum feature f)
{
    const int all[FEATURES] = {
        [F_ACCOUNT] = n->account,      [F_PLEX_ID] = n->plex_id,      [F_PLEX_LOGIN] = n->plex_login,
        [F_EMAIL_0] = n->emails[0],    [F_EMAIL_1] = n->emails[1],    [F_NAME] = n->name,
        [F_LOOSE] = n->loose,          [F_LOCAL_0] = n->local_parts[0], [F_LOCAL_1] = n->local_parts[1]};
    return all[f];
}

static struct chains chain_feature(const struct match *m, enum feature f)
{
    auto_free size_t *label = xcalloc(m->count + 1, sizeof *label);
    for (size_t i = 0; i < m->count; i++) {
        int number = feature_of(&m->nodes[i], f);
        label[i] = number ? (size_t)number : NONE;
    }
    return chains_of(m->count, HASH_COUNT(m->words), label);
}

static int by_edge(const void *a, const void *b)
{
    const struct edge *x = a, *y = b;
    if (x->a != y->a)
        return (x->a > y->a) - (x->a < y->a);
    return (x->b > y->b) - (x->b < y->b);
}

/* All pairs of which one has as `f` what the other has as `g`. */
static void add_common(struct match *m, enum feature f, enum feature g)
{
    auto_cleanup(chains_done) struct chains with = chain_feature(m, g);
    for (size_t i = 0; i < m->count; i++) {
        int number = feature_of(&m->nodes[i], f);
        for (size_t k = number ? with.first[number] : NONE; k != NONE; k = with.next[k])
            if (i != k)
                *GROW(m->edges, m->edge_count, m->edge_room) =
                    (struct edge){i < k ? i : k, i < k ? k : i, 0, false};
    }
}

/* All pairs that could have a reason, with it, each once; those by hand among them. */
static void find_pairs(struct match *m)
{
    static const enum feature common[][2] = {
        {F_ACCOUNT, F_ACCOUNT}, {F_PLEX_ID, F_PLEX_ID}, {F_PLEX_LOGIN, F_PLEX_LOGIN},
        {F_EMAIL_0, F_EMAIL_0}, {F_EMAIL_0, F_EMAIL_1}, {F_EMAIL_1, F_EMAIL_1}, {F_NAME, F_NAME},
        {F_LOOSE, F_LOOSE},     {F_LOCAL_0, F_NAME},    {F_LOCAL_0, F_LOOSE},   {F_LOCAL_1, F_NAME},
        {F_LOCAL_1, F_LOOSE}};
    m->edge_count = 0;
    for (size_t i = 0; i < ARRAY_LEN(common); i++)
        add_common(m, common[i][0], common[i][1]);
    for (size_t i = 0; i < m->hand_count; i++) {
        size_t a = index_of(m, m->hands[i].a), b = index_of(m, m->hands[i].b);
        if (a < m->count && b < m->count)
            *GROW(m->edges, m->edge_count, m->edge_room) = (struct edge){a, b, 0, false};
    }
    if (!m->edge_count)
        return;
    qsort(m->edges, m->edge_count, sizeof *m->edges, by_edge);
    size_t count = 0;
    for (size_t i = 0; i < m->edge_count; i++) {
        struct edge e = m->edges[i];
        if (count && by_edge(&m->edges[count - 1], &e) == 0)
            continue;
        e.why = why_of(m, &m->nodes[e.a], &m->nodes[e.b]);
        if (e.why)
            m->edges[count++] = e;
    }
    m->edge_count = count;
}

static void find_edges(struct match *m, enum match_why level)
{
    find_pairs(m);
    size_t count = 0;
    for (size_t i = 0; i < m->edge_count; i++) {
        struct edge e = m->edges[i];
        if (e.why == level && m->nodes[e.a].group != m->nodes[e.b].group &&
            !(level == WHY_NAME && m->nodes[e.a].is_shared))
            m->edges[count++] = e;
    }
    m->edge_count = count;
}

/* All that names could join, whatever the addresses say: of those these have to be known. */
static enum status ask_apart(struct match *m, match_apart *apart, void *ctx, struct error *err)
{
    find_components(m);
    for (size_t a = 0; a < m->count; a++) {
        for (size_t b = m->of_component.next[a]; b != NONE; b = m->of_component.next[b]) {
            if (m->nodes[a].group == m->nodes[b].group)
                continue;
            size_t *pair = *GROW(m->asked, m->asked_count, m->asked_room);
            pair[0] = a;
            pair[1] = b;
        }
    }
    if (!m->asked_count || !apart)
        return STATUS_OK;
    m->is_apart = xcalloc(m->asked_count, sizeof *m->is_apart);
    return apart(ctx, (const size_t(*)[2])m->asked, m->asked_count, m->is_apart, err);
}

static enum match_against against_suggestion(const struct match *m, enum match_why why, size_t a,
                                             size_t b)
{
    enum match_against against = doubt(m, a, b);
    if (against != AGAINST_NOTHING)
        return against;
    if (why == WHY_NAME && m->nodes[a].is_shared)
        return AGAINST_SHARED;
    return why <= WHY_NAME ? AGAINST_OTHERS : AGAINST_LIKENESS;
}

static int by_strength(const void *a, const void *b)
{
    const struct match_pair *x = a, *y = b;
    if (x->is_joined != y->is_joined)
        return y->is_joined - x->is_joined;
    if (x->why != y->why)
        return (x->why > y->why) - (x->why < y->why);
    if (x->a != y->a)
        return (x->a > y->a) - (x->a < y->a);
    return (x->b > y->b) - (x->b < y->b);
}

static int by_ids(const void *a, const void *b)
{
    const struct match_pair *x = a, *y = b;
    if (x->a != y->a)
        return (x->a > y->a) - (x->a < y->a);
    return (x->b > y->b) - (x->b < y->b);
}

static void list_pairs(struct match *m)
{
    size_t joined = 0;
    find_pairs(m);
    for (size_t i = 0; i < m->edge_count; i++) {
        const struct edge *e = &m->edges[i];
        const struct node *x = &m->nodes[e->a], *y = &m->nodes[e->b];
        bool is_joined = x->group == y->group;
        /* Within a person only what joins; between two nothing that somebody has decided on. */
        if (is_joined ? e->why > WHY_NAME || (e->why == WHY_NAME && x->is_shared)
                      : hand_of(m, x, y) != NULL)
            continue;
        joined += is_joined;
        *GROW(m->pairs, m->pair_count, m->pair_room) = (struct match_pair){
            .a = x->id,
            .b = y->id,
            .is_joined = is_joined,
            .why = e->why,
            .against = is_joined ? AGAINST_NOTHING : against_suggestion(m, e->why, e->a, e->b)};
    }
    if (!m->pair_count)
        return;
    qsort(m->pairs, m->pair_count, sizeof *m->pairs, by_strength);
    if (m->pair_count > joined + MATCH_SUGGESTIONS_MAX)
        m->pair_count = joined + MATCH_SUGGESTIONS_MAX;
    qsort(m->pairs, m->pair_count, sizeof *m->pairs, by_ids);
}

/* --- all of it ----------------------------------------------------------------------------- */

static void match_done(struct match *m)
{
    struct word *w, *next;
    HASH_ITER(hh, m->words, w, next) {
        HASH_DEL(m->words, w);
        free(w);
    }
    free(m->nodes);
    free(m->hands);
    free(m->edges);
    free(m->component);
    chains_done(&m->of_group);
    chains_done(&m->of_component);
    free(m->asked);
    free(m->is_apart);
    free(m->pairs);
}

static void read_all(struct match *m, const struct match_account *accounts, size_t count,
                     const struct match_hand *hands, size_t hand_count)
{
    m->count = count;
    m->nodes = xcalloc(count + 1, sizeof *m->nodes);
    for (size_t i = 0; i < count; i++)
        m->nodes[i] = read_account(m, &accounts[i]);
    qsort(m->nodes, count, sizeof *m->nodes, by_node_id);
    for (size_t i = 0; i < count; i++)
        m->nodes[i].group = i;
    m->component = xcalloc(count + 1, sizeof *m->component);
    struct match_hand *sorted = xcalloc(hand_count + 1, sizeof *sorted);
    for (size_t i = 0; i < hand_count; i++) {
        sorted[i] = hands[i];
        if (sorted[i].a > sorted[i].b) {
            sorted[i].a = hands[i].b;
            sorted[i].b = hands[i].a;
        }
    }
    qsort(sorted, hand_count, sizeof *sorted, by_hand);
    m->hands = sorted;
    m->hand_count = hand_count;
}

/* The caller's indexes, by its ids: nodes are in another order. */
struct asking {
    match_apart *apart;
    void *ctx;
    const struct match *m;
    const struct match_account *accounts;
    size_t count;
};

static enum status ask_caller(void *ctx, const size_t (*pairs)[2], size_t count, bool *ret,
                              struct error *err)
{
    const struct asking *k = ctx;
    auto_free size_t(*theirs)[2] = xcalloc(count, sizeof *theirs);
    auto_free size_t *place = xcalloc(k->count + 1, sizeof *place);
    for (size_t i = 0; i < k->count; i++)
        place[index_of(k->m, k->accounts[i].id)] = i;
    for (size_t i = 0; i < count; i++) {
        theirs[i][0] = place[pairs[i][0]];
        theirs[i][1] = place[pairs[i][1]];
    }
    return k->apart(k->ctx, (const size_t(*)[2])theirs, count, ret, err);
}

/* Of each of the caller's accounts the oldest of its group. */
static void read_groups(const struct match *m, const struct match_account *accounts, int32_t *ret)
{
    for (size_t i = 0; i < m->count; i++)
        ret[i] = m->nodes[m->nodes[index_of(m, accounts[i].id)].group].id;
}

enum status match_people(const struct match_account *accounts, size_t count,
                         const struct match_hand *hands, size_t hand_count, match_apart *apart,
                         void *ctx, struct match_result *ret, struct error *err)
{
    auto_cleanup(match_done) struct match m = {0};
    read_all(&m, accounts, count, hands, hand_count);
    struct asking asking = {apart, ctx, &m, accounts, count};
    *ret = (struct match_result){.oldest = xcalloc(count + 1, sizeof *ret->oldest),
                                 .surest = xcalloc(count + 1, sizeof *ret->surest)};
    join_by_hand(&m);
    chain_groups(&m);
    for (enum match_why level = WHY_ISSUER; level <= WHY_NAME; level++) {
        if (level == WHY_NAME)
            read_groups(&m, accounts, ret->surest);
        find_edges(&m, level);
        if (level == WHY_NAME && ask_apart(&m, apart ? ask_caller : NULL, &asking, err) != STATUS_OK) {
            match_result_done(ret);
            return err->status;
        }
        join_level(&m, level);
    }
    list_pairs(&m);
    read_groups(&m, accounts, ret->oldest);
    ret->pairs = steal_ptr(&m.pairs);
    ret->pair_count = m.pair_count;
    return STATUS_OK;
}

void match_result_done(struct match_result *r)
{
    free(r->oldest);
    free(r->surest);
    free(r->pairs);
    *r = (struct match_result){0};
}
