/* What a segment has of its play, which src/ingest/rederive.c writes. */
#pragma once

/* Writes it, for rows that a test made itself. */
#define SEGMENTS_OF_PLAYS                                                                          \
    "update segment set media_type = p.media_type, kind = p.kind, is_short = p.is_short,"          \
    " is_hidden = p.is_hidden, hidden_by = p.hidden_by, play_started = p.started,"                 \
    " is_alone = p.segments = 1 from play p where p.play_id = segment.play_id;"

/* How many segments have something else, or something else than their title; and plays of which there are
 * more or fewer segments than they say. */
#define SEGMENTS_UNLIKE_PLAYS                                                                      \
    "select (select count(*) from segment s left join play p using (play_id)"                      \
    "  left join title t on t.title_id = s.title_id where"                                         \
    "  (s.server_id, s.account_id, s.title_id, s.media_type, s.kind, s.is_short, s.is_hidden,"     \
    "   s.hidden_by, s.play_started, s.is_alone) is distinct from"                                 \
    "  (p.server_id, p.account_id, p.title_id, t.media_type, p.kind, p.is_short, p.is_hidden,"     \
    "   p.hidden_by, p.started, p.segments = 1) or p.media_type is distinct from t.media_type)"    \
    " + (select count(*) from play left join (select play_id, count(*) as n from segment"          \
    "  group by play_id) using (play_id) where segments <> coalesce(n, 0))"
