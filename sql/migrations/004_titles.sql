-- A title row is what one item of one server is known by (or names without an item); which rows are one
-- title is found by their keys (docs/internals/titles.md). Inputs keep the row that they came with.
-- Derived. One row a title that counts as another one, root_id, which is no other's part. why: hand id
-- file text.
create table title_join (title_id integer, root_id integer, why varchar);
-- Derived. Two titles (roots, title_id < other_id) that may be one: what speaks for it and what against it.
-- against: ids others.
create table title_pair (title_id integer, other_id integer, why varchar, against varchar);
-- Append-only: one row a title that went from one to another after it was there. why: as above, 'parted'
-- where nothing joins it to its former one any more. decision_id NULL: by itself.
create table title_change (changed_at timestamp, title_id integer, from_root_id integer,
  to_root_id integer, why varchar, decision_id bigint);
