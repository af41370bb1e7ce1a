-- The store. Three append-only inputs (observation, segment_in, view_in, decision) are kept for
-- good; play and segment are derived from them by ingest and can be made again at any time.
-- Times are TIMESTAMP in UTC. Ids are given out in order by the one writer. No primary keys: the
-- one writer keeps uniqueness (an ART index costs more than it gives here).

create table applied (position bigint not null);   -- one row: last log record applied
insert into applied values (0);
create table setting (name varchar not null, value varchar);

-- Small tables: what the facts point at. -----------------------------------------------------
create table server (server_id integer, key varchar, kind varchar, name varchar,
  machine_id varchar, version varchar, latitude double, longitude double);
create table person (person_id integer, name varchar);
create table account (account_id integer, server_id integer, key varchar, name varchar,
  email varchar, is_owner boolean, person_id integer);
create table library (library_id integer, server_id integer, key varchar, name varchar, kind varchar);
-- One row a title that survives re-adds; media_type: movie episode track live clip extra photo.
create table title (title_id integer, media_type varchar, title varchar, parent_title varchar,
  grandparent_title varchar, season integer, episode integer, year integer, duration_ms bigint,
  content_rating varchar, genres varchar[], full_title varchar);
-- Every key a title is known by: "plex://...", "imdb:tt1", "item:SERVER:KEY", "text:...".
create table title_key (key varchar, title_id integer);
create table device (device_id integer, machine_id varchar, player varchar, product varchar,
  product_version varchar, platform varchar, platform_version varchar);
-- How it was delivered: one row a distinct combination.
create table quality (quality_id integer, transcode_decision varchar, video_decision varchar,
  audio_decision varchar, subtitle_decision varchar, container varchar, video_codec varchar,
  video_resolution varchar, video_dynamic_range varchar, video_framerate varchar,
  audio_codec varchar, audio_channels integer, audio_language varchar, subtitle_codec varchar,
  subtitle_language varchar, stream_container varchar, stream_video_codec varchar,
  stream_video_resolution varchar, stream_video_dynamic_range varchar, stream_audio_codec varchar,
  stream_audio_channels integer, hw_decode varchar, hw_encode varchar, transcode_reasons varchar);
create table place (place_id integer, country_code varchar, country varchar, region varchar,
  city varchar, latitude double, longitude double);
-- class: public loopback lan link-local cgnat tailscale relay ula unknown. place_id NULL: unresolved.
create table address (address_id integer, address varchar, class varchar, place_id integer);

-- Inputs. ------------------------------------------------------------------------------------
-- One row a state of a session: mere progress is folded into first/last. head_at: last seen at
-- the first position; moved_at: when the position last changed, so that a stalled stretch can be
-- told from a running one.
create table observation (observation_id bigint, segment_id bigint, state varchar,
  first_at timestamp, last_at timestamp, head_at timestamp, moved_at timestamp,
  first_position_ms bigint, last_position_ms bigint, blind_ms bigint, is_interrupted boolean,
  record json);
-- One row an observed segment: what its observations' facts point at. Who and what are those of
-- its first observation, how it was delivered those of its last one before the stop. session: the
-- source's own name of it.
create table session_in (segment_id bigint, session varchar, server_id integer,
  account_id integer, title_id integer, library_id integer, device_id integer,
  quality_id integer, address_id integer, duration_ms bigint, credits_ms bigint,
  location varchar, secure boolean, relayed boolean, bandwidth_kbps integer,
  bitrate_kbps integer, stream_bitrate_kbps integer, is_live boolean, is_ended boolean);
-- One row an imported or backfilled segment. Facts as in segment.
create table import (import_id integer, source varchar, file varchar, started_at timestamp,
  ended_at timestamp, state varchar, rows_read bigint, rows_added bigint, rows_skipped bigint,
  server_id integer, position bigint, report json);
create table segment_in (segment_in_id bigint, import_id integer, source_row bigint,
  source_group bigint, server_id integer, account_id integer, title_id integer, library_id integer,
  device_id integer, quality_id integer, address_id integer, started timestamp, ended timestamp,
  watch_ms bigint, paused_ms bigint, position_ms bigint, duration_ms bigint, credits_ms bigint,
  location varchar, secure boolean, relayed boolean, bandwidth_kbps integer, bitrate_kbps integer,
  stream_bitrate_kbps integer, is_live boolean);
-- Backfilled: known account, title and instant (ended only where the source pairs start and stop).
create table view_in (view_in_id bigint, server_id integer, source_id varchar, account_id integer,
  title_id integer, library_id integer, viewed_at timestamp, ended timestamp);
-- Every human act. kind: delete_play restore_play delete_import restore_import mark_watched ...
create table decision (decision_id bigint, decided_at timestamp, who varchar, kind varchar,
  subject bigint, detail json);
-- state: connected polling blind. ended NULL: still.
create table coverage (server_id integer, started timestamp, ended timestamp, state varchar, why varchar);

-- Derived. -----------------------------------------------------------------------------------
-- One row: one continuous session of one account, one title, one device. spans: where watch time
-- happened, as [from, to, from, to, ...] microseconds UTC; NULL: evenly over started..ended.
-- watch_low_ms/watch_high_ms: bounds where a blind span leaves doubt, else equal to watch_ms.
create table segment (segment_id bigint, play_id bigint, origin varchar, server_id integer,
  account_id integer, title_id integer, library_id integer, device_id integer, quality_id integer,
  address_id integer, started timestamp, ended timestamp, watch_ms bigint, watch_low_ms bigint,
  watch_high_ms bigint, paused_ms bigint, start_position_ms bigint, position_ms bigint,
  duration_ms bigint, credits_ms bigint, location varchar, secure boolean, relayed boolean,
  bandwidth_kbps integer, bitrate_kbps integer, stream_bitrate_kbps integer, is_open boolean,
  is_interrupted boolean, spans bigint[]);
-- One row: one viewing of one title by one account on one server (a resumed film is one play).
-- kind: play, view (backfilled: no watch time), extra. origin: live import view.
create table play (play_id bigint, kind varchar, origin varchar, server_id integer,
  account_id integer, title_id integer, library_id integer, media_type varchar, started timestamp,
  ended timestamp, watch_ms bigint, watch_low_ms bigint, watch_high_ms bigint, paused_ms bigint,
  position_ms bigint, duration_ms bigint, percent double, is_watched boolean, is_short boolean,
  is_open boolean, segments integer, is_hidden boolean, hidden_by varchar);
