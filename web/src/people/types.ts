// What the server answers about people (src/api/api.json). Unknown is null.

export type MergeReason = 'hand' | 'issuer' | 'email' | 'name';

export interface Account {
  id: number;
  name: string | null;
  key: string;
  email: string | null;
  is_owner: boolean;
  server_id: number;
  server: string;
  server_kind: string | null;
  reasons: MergeReason[];
}

export interface Person {
  id: number;
  name: string;
  plays: number;
  watch_ms: number;
  first_seen: string | null;
  last_seen: string | null;
  is_by_name: boolean;
  accounts: Account[];
}
export interface PeoplePage { people: Person[]; next_cursor: string | null; total: number }

export interface Used { watch_ms: number; last_seen: string | null }
export interface RecentPlay {
  id: number;
  started: string;
  watch_ms: number;
  percent: number | null;
  is_open: boolean;
  media_type: string | null;
  title: string | null;
  grandparent_title: string | null;
  season: number | null;
  episode: number | null;
  server: string | null;
}
export interface PersonEvent {
  at: string;
  who: string | null;
  kind: 'merge' | 'part' | 'rename' | 'undo' | 'joined' | 'parted';
  decision: number | null;
  undoes: number | null;
  is_undone: boolean;
  from_person_id: number | null;
  from_person: string | null;
  to_person_id: number | null;
  to_person: string | null;
  why: string | null;
  name: string | null;
  accounts: { id: number; name: string; server: string; side: number; person_id: number | null }[];
}
export interface Profile extends Person {
  titles: number;
  finished_share: number | null;
  devices: number;
  places: number;
  pairs: { account_id: number; other_id: number; why: MergeReason }[];
  top_titles: (Used & { title: string | null; media_type: string | null; titles: number })[];
  top_devices: (Used & { player: string | null; product: string | null; platform: string | null })[];
  top_places: (Used & { place: string | null; address_class: string | null })[];
  recent: RecentPlay[];
  history: PersonEvent[];
}

export interface Suggestion {
  people: Omit<Person, 'first_seen' | 'is_by_name'>[];
  reasons: { account_id: number; other_id: number; why: Why; against: Against }[];
  shared_devices: number;
  shared_addresses: number;
}
export type Why = 'issuer' | 'email' | 'name' | 'similar_name' | 'email_name';
export type Against = 'plex_id' | 'email' | 'server' | 'places' | 'shared_name' | 'others' | 'likeness';

export interface Decided { decision: number }
