-- What the servers' libraries hold. One row an item of a server, which is a title in a library (an item
-- that is moved keeps its key; a title in two libraries or on two servers is two items). Told by the
-- sources: a library is read whole once a day, and what is new in between. Nothing is ever deleted: an
-- item that a whole pass did not find has removed_at, until it is there again.
-- added_at: when the server says it came; first_seen, last_seen: when a pass (its beginning) first and
-- last found it. file_key: a hash of path, size and length of its first file, the same when the file is
-- added again under another key; size_bytes: of all its files. The rest is of its first file.
create table item (server_id integer, key varchar, title_id integer, library_id integer,
  file_key varchar, added_at timestamp, first_seen timestamp, last_seen timestamp,
  removed_at timestamp, size_bytes bigint, duration_ms bigint, container varchar,
  video_codec varchar, video_resolution varchar, video_dynamic_range varchar, audio_codec varchar,
  bitrate_kbps integer);
