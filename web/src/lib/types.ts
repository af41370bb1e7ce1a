// What the server answers (docs/internals/api.md). Unknown is null.

export interface User { name: string; role: 'admin' | 'viewer' }

// url: of the window to sign in at.
export interface PlexLogin { url: string; lifetime_s: number }
export interface PlexLoginState { state: 'waiting' | 'done'; user: User | null }

export interface AppInfo {
  version: string;
  demo: boolean;
  // Nothing is served yet but login and the first media server.
  setup: boolean;
  user: User | null;
  time_zone: string;
  auth_modes: string[];
}

// A row of src/model/server_kinds.def.
export type ServerKind = string;
export type ServerState =
  | 'connecting' | 'connected' | 'polling' | 'blind' | 'unauthorized' | 'unreachable' | 'disabled' | 'needs_token';

export interface ServerStatus {
  ordinal: number;
  kind: ServerKind;
  state: ServerState;
  percent: number | null;
  // With a login only.
  key?: string;
  name?: string;
  url?: string;
  error?: string | null;
  history_error?: string | null;
  last_event_at?: string | null;
  plays?: number | null;
}

// A media server with all that administrators may know of it; never its token.
export interface Server {
  ordinal: number;
  kind: ServerKind;
  state: ServerState;
  percent: number | null;
  key: string;
  name: string;
  url: string;
  error: string | null;
  history_error: string | null;
  last_event_at: string | null;
  plays: number | null;
  version: string | null;
  own_name: string | null;
  // Added on the page; else configured, and read-only.
  is_stored: boolean;
  is_enabled: boolean;
  has_token: boolean;
  tls_verify: boolean;
}

export interface ServersAnswer {
  most: number;
  servers: Server[];
  // Not watched any more; their plays are kept.
  former: { key: string; kind: ServerKind; name: string; plays: number }[];
}

export interface ServerWish {
  key?: string;
  kind?: ServerKind;
  url?: string;
  token?: string;
  name?: string;
  enabled?: boolean;
  tls_verify?: boolean;
  untested?: boolean;
}

export interface ServerTested {
  verdict: 'fine' | 'address' | 'unreachable' | 'tls' | 'another server' | 'unauthorized' | 'forbidden' | 'failing';
  text: string;
  likely_url: string | null;
  kind: ServerKind | null;
  name: string | null;
  version: string | null;
  known_as: string | null;
  kept_plays: number;
}

export type Decision = 'direct play' | 'copy' | 'transcode';

export interface Session {
  id: string;
  server_id: number;
  server: string;
  server_kind: ServerKind;
  state: 'playing' | 'paused' | 'buffering';
  person_id: number | null;
  person: string | null;
  account: string | null;
  media_type: string | null;
  title: string | null;
  parent_title: string | null;
  grandparent_title: string | null;
  season: number | null;
  episode: number | null;
  year: number | null;
  position_ms: number | null;
  duration_ms: number | null;
  started_at: string;
  updated_at: string;
  player: string | null;
  product: string | null;
  platform: string | null;
  location: string | null;
  place: string | null;
  address_class: string | null;
  transcode_decision: string | null;
  video_decision: string | null;
  audio_decision: string | null;
  video_codec: string | null;
  video_resolution: string | null;
  video_dynamic_range: string | null;
  stream_video_codec: string | null;
  stream_video_resolution: string | null;
  audio_codec: string | null;
  stream_audio_codec: string | null;
  container: string | null;
  bandwidth_kbps: number | null;
  secure: boolean | null;
  relayed: boolean | null;
  hw_decode: string | null;
  hw_encode: string | null;
}

export interface Today { plays: number; watch_ms: number; people: number }

export interface NowAnswer {
  sessions: Session[];
  servers: ServerStatus[];
  // Whose plays a viewer sees; null: everybody's.
  accounts: OwnAccount[] | null;
  today: Today;
  at: string;
}

export interface OwnAccount { server: string; server_kind: ServerKind | null; account: string | null }

export interface Play {
  id: number;
  started: string;
  ended: string | null;
  watch_ms: number;
  watch_low_ms: number;
  watch_high_ms: number;
  paused_ms: number | null;
  percent: number | null;
  is_watched: boolean | null;
  is_short: boolean;
  is_open: boolean;
  is_deleted: boolean;
  kind: 'play' | 'view';
  origin: 'live' | 'import' | 'view';
  server_id: number | null;
  server: string | null;
  server_kind: ServerKind | null;
  person_id: number | null;
  person: string | null;
  media_type: string | null;
  title_id: number | null;
  title: string | null;
  parent_title: string | null;
  grandparent_title: string | null;
  full_title: string | null;
  season: number | null;
  episode: number | null;
  year: number | null;
  duration_ms: number | null;
  segments: number;
  platform: string | null;
  player: string | null;
  transcode_decision: string | null;
  video_resolution: string | null;
  place: string | null;
  library: string | null;
}

// One session on one device, with every fact of its stream.
export interface Segment {
  id: number;
  started: string;
  ended: string | null;
  watch_ms: number;
  watch_low_ms: number;
  watch_high_ms: number;
  paused_ms: number | null;
  start_position_ms: number | null;
  position_ms: number | null;
  duration_ms: number | null;
  credits_ms: number | null;
  is_open: boolean;
  is_interrupted: boolean | null;
  origin: 'live' | 'import';
  account: string | null;
  library: string | null;
  address: string | null;
  player: string | null;
  product: string | null;
  product_version: string | null;
  platform: string | null;
  platform_version: string | null;
  place: string | null;
  address_class: string | null;
  location: string | null;
  secure: boolean | null;
  relayed: boolean | null;
  bandwidth_kbps: number | null;
  bitrate_kbps: number | null;
  stream_bitrate_kbps: number | null;
  transcode_decision: string | null;
  video_decision: string | null;
  audio_decision: string | null;
  subtitle_decision: string | null;
  container: string | null;
  video_codec: string | null;
  video_resolution: string | null;
  video_dynamic_range: string | null;
  video_framerate: string | null;
  audio_codec: string | null;
  audio_channels: number | null;
  audio_language: string | null;
  subtitle_codec: string | null;
  subtitle_language: string | null;
  stream_container: string | null;
  stream_video_codec: string | null;
  stream_video_resolution: string | null;
  stream_video_dynamic_range: string | null;
  stream_audio_codec: string | null;
  stream_audio_channels: number | null;
  hw_decode: string | null;
  hw_encode: string | null;
  transcode_reasons: string | null;
  // The media server's own name of it.
  session: string | null;
  // Of an imported one.
  import_id: number | null;
  import_source: string | null;
  import_file: string | null;
  import_row: number | null;
  // Of an observed one: what was seen, in order.
  states: SeenState[];
}

export interface SeenState {
  state: 'playing' | 'paused' | 'buffering' | 'stopped';
  from: string;
  to: string;
  from_position_ms: number | null;
  to_position_ms: number | null;
  // Not watched before it.
  blind_ms: number;
}

export interface PlayDetail extends Omit<Play, 'segments'> {
  segments: Segment[];
  // What a backfilled one is made of.
  views: { source_id: string | null; viewed_at: string; ended: string | null }[];
  // When the server was not fully watched meanwhile.
  coverage: { from: string; to: string | null; state: 'polling' | 'blind'; why: string | null }[];
  // For administrators: what was done to it by hand.
  decisions: { at: string; who: string | null; kind: 'delete_play' | 'restore_play' }[];
}

export interface PlaysPage {
  rows: Play[];
  next_cursor: string | null;
  total: number;
}

export interface Named { id: number; name: string | null }

export interface Choices {
  people: Named[];
  servers: (Named & { kind: ServerKind })[];
  libraries: (Named & { server_id: number | null })[];
  media_types: string[];
  platforms: string[];
  transcode_decisions: string[];
  video_resolutions: string[];
  countries: string[];
}

export interface Reason { reason: string; count: number; sample: string }

export interface Import {
  id: number;
  source: string;
  file: string;
  server: string | null;
  state: 'counting' | 'running' | 'done' | 'failed' | 'cancelled' | 'undone';
  is_dry_run: boolean;
  rows_total: number;
  rows_read: number;
  rows_added: number;
  rows_skipped: number;
  percent: number;
  started_at: string | null;
  ended_at: string | null;
  error: string | null;
  skips: Reason[];
  notes: Reason[];
  people: number;
  titles: number;
  from: string | null;
  to: string | null;
}

// Somebody who can log in, as an administrator sees them.
export interface KnownUser {
  id: number;
  name: string;
  issuer: string | null;
  role: User['role'];
  is_configured: boolean;
  is_disabled: boolean;
  created_at: string;
  last_login_at: string | null;
  sessions: number;
  accounts: LinkedAccount[];
}

export interface LinkedAccount {
  server: string;
  server_name: string | null;
  server_kind: ServerKind | null;
  key: string;
  account: string | null;
  person: string | null;
  is_linked: boolean;
  is_known: boolean;
}

export interface AccountChoice {
  server: string;
  server_name: string | null;
  server_kind: ServerKind | null;
  key: string;
  account: string | null;
  person: string | null;
  plays: number;
}

export interface BackupJob {
  id: number;
  state: 'running' | 'done' | 'failed' | 'cancelled';
  step: string;
  name: string | null;
  started_at: string;
  ended_at: string | null;
  error: string | null;
  plays: number;
}

export type KeptAs = 'newest' | 'daily' | 'weekly' | 'monthly';

export interface Backup {
  name: string;
  made_at: string;
  bytes: number;
  change_bytes: number | null;
  is_shrunk: boolean;
  is_encrypted: boolean;
  version: string | null;
  plays: number | null;
  is_kept: boolean;
  kept_as: KeptAs[];
}

export interface Backups {
  folder: string;
  every_s: number; // 0: never by itself
  compression: 'gzip' | 'zstd';
  is_encrypting: boolean;
  keep: Record<KeptAs, number>;
  next_at: string | null;
  job: BackupJob | null;
  backups: Backup[];
}

// What a backup that is to be restored, or was, holds.
export interface RestoreBackup {
  file: string;
  file_bytes: number;
  bytes: number;
  is_encrypted: boolean;
  made_at: string | null;
  version: string;
  schema: number;
  plays: number;
  people: number;
  titles: number;
  first_play: string | null;
  last_play: string | null;
  by: string | null;
  decided_at: string | null;
}

export interface Restore {
  id: number;
  state: 'none' | 'uploading' | 'verifying' | 'locked' | 'ready' | 'failed' | 'staged';
  step: string | null;
  percent: number | null;
  file: string | null;
  error: string | null;
  backup: RestoreBackup | null;
  loss: { newer_plays: number; plays_now: number } | null;
  needed: string[];
  most_bytes: number;
  last: { backup: RestoreBackup; former: string | null } | null;
}

export interface Gap { server_id: number; from: string; to: string }

// What every analytics answer says about itself.
export interface Token {
  id: number;
  name: string;
  account: string;
  scope: 'read' | 'admin';
  created_at: string;
  expires_at: string | null;
  is_expired: boolean;
  last_used_at: string | null;
  last_used_from: string | null;
}

export type AuditKind = 'login' | 'refused' | 'change' | 'export';

export interface AuditRow {
  id: number;
  at: string;
  kind: AuditKind;
  who: string | null;
  via: string;
  token: string | null;
  address: string | null;
  action: string;
  detail: string | null;
  status: number;
}

export interface About {
  version: string;
  started_at: string;
  uptime_s: number;
  system: string;
  processors: number;
  memory_bytes: number;
  memory_peak_bytes: number;
  disk_free_bytes: number | null;
  store_bytes: number;
  plays: number;
  schema: number;
  checks: { what: 'store' | 'log' | 'servers' | 'backups' | 'audit' | 'disk'; is_well: boolean; text: string }[];
}

export interface Meta {
  query: string;
  title: string;
  row: string;
  tz: string;
  data_version: number;
  from: string | null;
  to: string | null;
  rows_behind: number;
  took_ms: number;
  is_cached: boolean;
  coverage_gaps: Gap[];
}

export interface Answer<Row> {
  data: Row[];
  meta: Meta;
  // With compare=previous or year: the rows of that other span.
  compare?: { from: string; to: string; data: Row[] };
  // With explain=1.
  explain?: { definition: string; sql: string; values: { name: string; value: string | number | boolean | null }[] };
}

export type Frame =
  | { type: 'session_start' | 'session_progress'; data: Session }
  | { type: 'session_stop'; data: { id: string; server_id: number } }
  | { type: 'sync'; data: { servers: ServerStatus[] } }
  | { type: 'import'; data: Import }
  | { type: 'data_changed'; data: { data_version: number } }
  | { type: 'resync'; data?: unknown };

export interface SqlTable {
  name: string;
  about: string;
  columns: { name: string; type: string; about: string }[];
}

export interface SqlTables {
  tables: SqlTable[];
  examples: { title: string; sql: string }[];
  // Days and hours are of it.
  tz: string;
  most_rows: number;
  most_seconds: number;
}

// instant: UTC; time: without a zone.
export type SqlType = 'boolean' | 'integer' | 'number' | 'text' | 'instant' | 'time' | 'date' | 'list' | 'object';

export interface SqlAnswer {
  columns: { name: string; type: SqlType }[];
  rows: Record<string, unknown>[];
  about: { rows: number; has_more: boolean; took_ms: number; as_of: string };
}
