-- Positions of two logs have nothing to do with each other: `home` is the log that the applied position
-- belongs to (log_home() of src/log/log.h), applied_before where others were left, one row a log.
alter table applied add column home varchar default 'sqlite';
-- A stop came after the last record: nothing is left in it.
alter table applied add column is_read_out boolean default false;
create table applied_before (home varchar not null, position bigint not null);
