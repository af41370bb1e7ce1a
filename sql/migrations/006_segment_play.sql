-- What a segment has of its play, so that nobody who reads segments joins them with plays or titles. Written
-- with the play, in the same transaction (src/ingest/rederive.c); never changed by itself.
-- media_type, kind, is_short, is_hidden, hidden_by: those of the play, the type being that of the title that
-- it counts as. play_started: when the play began. is_alone: the play has no other segment.
alter table segment add column media_type varchar;
alter table segment add column kind varchar;
alter table segment add column is_short boolean;
alter table segment add column is_hidden boolean;
alter table segment add column hidden_by varchar;
alter table segment add column play_started timestamp;
alter table segment add column is_alone boolean;
update segment set media_type = p.media_type, kind = p.kind, is_short = p.is_short,
  is_hidden = p.is_hidden, hidden_by = p.hidden_by, play_started = p.started, is_alone = p.segments = 1
  from play p where p.play_id = segment.play_id;
