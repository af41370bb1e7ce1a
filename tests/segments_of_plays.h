/* What ingest/rederive.c writes to a segment of its play, for rows that a test made itself. */
#pragma once

#define SEGMENTS_OF_PLAYS                                                                          \
    "update segment set media_type = p.media_type, kind = p.kind, is_short = p.is_short,"          \
    " is_hidden = p.is_hidden, hidden_by = p.hidden_by, play_started = p.started,"                 \
    " is_alone = p.segments = 1 from play p where p.play_id = segment.play_id;"

/* How many segments do not have what their plays are. */
#define SEGMENTS_UNLIKE_PLAYS                                                                      \
    "select count(*) from segment s left join play p using (play_id) left join title t"            \
    " on t.title_id = s.title_id where (s.media_type, s.kind, s.is_short, s.is_hidden,"            \
    " s.hidden_by, s.play_started, s.is_alone, s.server_id, s.account_id, s.title_id,"             \
    " s.media_type) is distinct from (p.media_type, p.kind, p.is_short, p.is_hidden,"              \
    " p.hidden_by, p.started, p.segments = 1, p.server_id, p.account_id, p.title_id,"              \
    " t.media_type)"
