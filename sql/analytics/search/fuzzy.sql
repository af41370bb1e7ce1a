-- title: Search
-- question: What is called so, or nearly so?
-- row: one hit: a title, a show, an artist or a person with a play in the period
-- param: q = (200 bytes): what is looked for; nothing: no hits
-- param: of = all (all, title, show, artist, person): what is looked among
-- param: min_score = 0 (0..100): hits below it are left out
-- param: limit = 20 (1..100): most rows
-- also: search/users = person (Search for people): Who is called so, or nearly so?
-- column: kind text: movie, episode, track, live, show, artist or person
-- column: name text: what it is called
-- column: series text?: of an episode its show, of a track its artist; of these two their own name
-- column: season int?: of an episode
-- column: episode int?: its number in the season, or a track's on its album
-- column: year int?: of a title
-- column: title_id int?: identity of a title
-- column: person_id int?: identity of a person
-- column: score int: 100: called just so; 80 to 98: it begins so; less: its words fit, the better the more
-- column: plays int: plays that start in the period
-- column: watch_ms int: watch time of these plays
-- column: last_seen time?: the end of the last such play
-- behind: titles={_titles}&shows={_shows}&users={_users}&media_types={_types}
-- about: Case, accents and punctuation between words do not matter; % and _ are themselves. Each word
-- about: looked for has to fit a word of the name: equal, its beginning, inside of it (from 3 letters
-- about: on), or but for one typo in words of 4 letters, two in words of 8; numbers forgive none. A typo
-- about: is a letter too much, too little, another one, or two in each other's place. Words of an episode
-- about: or track may also be those of its show or artist, and a film's its year, as long as one is of
-- about: its own name. Score: 100 for the same name; 80 and up to 18 more by how much of the name it is
-- about: for its beginning; else up to 70 for how well words fit (equal 100 %, beginning 90, inside
-- about: 80, one typo 65, two 55, both 10 less where the rest of the word is missing) and up to 9 for the
-- about: share of the name's words. Hits without a play that passes the filter are left out. A person's accounts
-- about: are looked at, too, by an administrator. Ordered by score, then likeness (Jaro-Winkler), plays,
-- about: name, kind and id.
with asked as (
  select trim(lower(strip_accents($q))) as whole
),
asked_word as (
  select word, row_number() over () as place
  from (select distinct unnest(if(len(parts) > 0, parts, [raw])) as word
    from (select raw, regexp_extract_all(translate(raw, '''’.', ''), '[\pL\pN]+') as parts
      from (select unnest(string_split(whole, ' ')) as raw from asked)
      where raw <> ''))
),
named as (
  select row_number() over () as id, *
  from (select media_type as kind, title_id as hit, coalesce(title, full_title) as name,
      grandparent_title as series, year
    from title
    where $of in ('all', 'title') and media_type in ('movie', 'episode', 'track', 'live')
    union all
    select *, null
    from (select distinct if(media_type = 'track', 'artist', 'show') as kind, null::integer as hit,
        grandparent_title as name, grandparent_title as series
      from title
      where media_type in ('episode', 'track') and grandparent_title <> '')
    where $of in ('all', kind)
    union all
    select distinct 'person', person_id, name, null, null
    from (select person_id, name from person
      union all select person_id, name from account where $sees_all)
    where $of in ('all', 'person') and person_id is not null)
),
named_word as (
  select id, unnest(string_split(name, ' ')) as raw, true as is_own from named
  union all
  select id, unnest(string_split(concat_ws(' ', if(kind = 'movie', null, series), year), ' ')), false
  from named
  where kind in ('movie', 'episode', 'track') and (select count(*) > 1 from asked_word)
),
part as (
  select raw, unnest(list_distinct([folded, regexp_replace(folded, '[^\pL\pN]', '', 'g')]
      || regexp_extract_all(folded, '[\pL\pN]+'))) as word
  from (select raw, lower(strip_accents(raw)) as folded from (select distinct raw from named_word))
),
-- What is typed may be the beginning of a word; `begun` is as much of it.
pair as (
  select raw, place, p.word, a.word as typed, p.word[:length(typed)] as begun,
    length(typed) > 2 and length(p.word) > 3 and not regexp_matches(p.word, '\pN') as forgives,
    length(typed) > 3 and length(p.word) > length(typed) as is_longer
  from part p, asked_word a
),
near as (
  select raw, place, case when word = typed then 100
      when starts_with(word, typed) then 90
      when contains(word, typed) and (strlen(typed) > 2 or not regexp_matches(typed, '[\pL\pN]')) then 80
      when forgives and abs(length(word) - length(typed)) < 3
        and jaro_winkler_similarity(word, typed) > 0.6
        and damerau_levenshtein(word, typed) <= least(length(word) // 4, 2)
        then 75 - 10 * damerau_levenshtein(word, typed)
      when forgives and is_longer and jaro_winkler_similarity(begun, typed) > 0.6
        and damerau_levenshtein(begun, typed) <= least(length(typed) // 4, 2)
        then 65 - 10 * damerau_levenshtein(begun, typed) end as fit
  from pair
),
word_fit as (
  select raw, place, max(fit) as fit from near where fit is not null group by all
),
-- Of each word looked for the best that a name has for it.
placed as (
  select id, place, max(fit) as fit, max(is_own::integer) as own
  from named_word join word_fit using (raw)
  group by all
),
fitting as (
  select id, sum(fit) // count(*) as fit, sum(own) as own
  from placed
  group by id
  having count(*) = (select count(*) from asked_word) and sum(own) > 0
),
scored as (
  select named.*, trim(lower(strip_accents(name))) as folded, len(string_split(name, ' ')) as words,
    jaro_winkler_similarity(folded, whole) as likeness,
    case when folded = whole then 100
      when starts_with(folded, whole) then 80 + 18 * length(whole) // length(folded)
      else (7 * fit + 90 * least(own, words) // words) // 10 end::integer as score
  from fitting join named using (id), asked
  where strlen(whole) > 2 or starts_with(folded, whole) or not regexp_matches(whole, '[\pL\pN]')
),
hits as (
  select * from scored
  where score >= $min_score
  qualify row_number() over (partition by kind, coalesce(hit, id) order by score desc, likeness desc) = 1
),
hit_title as (
  select id, hit as title_id from hits where kind in ('movie', 'episode', 'track', 'live')
  union all
  select h.id, t.title_id
  from hits h join title t on t.grandparent_title = h.series
    and t.media_type = if(h.kind = 'artist', 'track', 'episode')
  where h.kind in ('show', 'artist')
),
hit_person as (
  select id, hit as person_id from hits where kind = 'person'
),
-- One pass over the plays, whichever kind of hit they are of.
used as (
  select t.title_id, h.id as person, count(*) as plays, sum(watch_ms)::bigint as watch_ms,
    max(coalesce(ended, started)) as last_seen
  from filtered_play left join (select distinct title_id from hit_title) t using (title_id)
    left join hit_person h using (person_id)
  where t.title_id is not null or h.id is not null
  group by all
),
played as (
  select id, sum(plays)::bigint as plays, sum(watch_ms)::bigint as watch_ms, max(last_seen) as last_seen
  from (select id, plays, watch_ms, last_seen from used join hit_title using (title_id)
    union all
    select person, plays, watch_ms, last_seen from used where person is not null)
  group by id
)
select kind, coalesce(p.name, h.name) as name, h.series, season, episode, h.year,
  t.title_id, p.person_id, score, plays, watch_ms, last_seen,
  coalesce(t.title_id::varchar, '') as _titles,
  if(kind in ('show', 'artist'), replace(replace(h.series, '\', '\\'), ',', '\,'), '') as _shows,
  coalesce(p.person_id::varchar, '') as _users,
  case kind when 'show' then 'episode' when 'artist' then 'track' else '' end as _types
from hits h join played using (id)
  left join title t on t.title_id = h.hit and kind not in ('show', 'artist', 'person')
  left join person p on p.person_id = h.hit and kind = 'person'
order by score desc, likeness desc, plays desc, name, kind, coalesce(h.hit, 0)
limit $limit
