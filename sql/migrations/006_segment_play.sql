-- What a segment has of its play, so that nobody who reads segments joins them with plays or titles. Written
-- with the play, in the same transaction (src/ingest/rederive.c), and never changed by itself.
-- media_type, kind, is_short, is_hidden, hidden_by: those of the play, the type being that of the title that
-- it counts as. play_started: when the play began. is_alone: the play has no other segment.
-- A new table, not an update, which would hold all rows in memory. Most plays count and have one segment, so
-- only the others are joined.
create table segment_next as
  select s.*, t.media_type, coalesce(p.kind, 'play') as kind, coalesce(p.is_short, false) as is_short,
    coalesce(p.is_hidden, false) as is_hidden, p.hidden_by, coalesce(p.started, s.started) as play_started,
    coalesce(p.segments, 1) = 1 as is_alone
  from segment s left join title t on t.title_id = s.title_id left join (select play_id, kind, is_short,
      is_hidden, hidden_by, started, segments from play
    where segments > 1 or kind <> 'play' or is_short or is_hidden) p on p.play_id = s.play_id;
drop table segment;
alter table segment_next rename to segment;
