-- People are matched anew whenever accounts change (docs/internals/people.md): what an account is
-- recognised by, the person that it is while it is nobody else's, and why accounts were joined.
alter table server add column owner_login varchar;       -- by which its owner logs in at plex.tv
alter table account add column plex_id varchar;          -- at plex.tv, where the key is another one
alter table account add column friendly_name varchar;    -- given by an import
alter table account add column home_person_id integer;   -- given out once, never to another account
-- The lowest id of the accounts that are surely the same person's: by their issuer, by e-mail, by hand.
-- What somebody may see goes by it, never by a name alone.
alter table account add column sure_id integer;
update account set home_person_id = person_id
  where account_id in (select min(account_id) from account group by person_id);
update account set friendly_name = p.name from person p
  where p.person_id = account.home_person_id and p.name <> coalesce(account.name, account.key);
-- Derived. One row a pair of accounts, account_id < other_id: joined, or suggested (then `against`
-- says what speaks against it). why: hand issuer email name similar_name email_name. against: '' hand
-- plex_id email server places shared_name others likeness.
create table person_pair (account_id integer, other_id integer, is_joined boolean, why varchar,
  against varchar);
-- Append-only: one row an account that went to another person. why: as in person_pair, 'parted' where
-- nothing joins it to its former one any more. decision_id NULL: by itself.
create table person_change (changed_at timestamp, account_id integer, from_person_id integer,
  to_person_id integer, why varchar, decision_id bigint);
