// What the server takes and answers, by the page's names: of the API's description, from which api.gen.ts is
// made (web/api_types.js). Unknown is null.
import type { components } from './api.gen';

type Known = components['schemas'];

export type User = Known['user'];
export type PlexLogin = Known['plex_login'];
export type PlexLoginState = Known['plex_login_state'];
export type AppInfo = Known['app'];

export type ServerKind = Known['server_kind'];
export type ServerState = Known['server_state'];
export type ServerStatus = Known['server_status'];
export type Server = Known['server'];
export type ServersAnswer = Known['servers'];
export type ServerTested = Known['server_tested'];

export type Session = Known['session'];
export type NowAnswer = Known['sessions'];
export type Today = Known['today'];
export type OwnAccount = Known['own_account'];

export type Play = Known['play'];
export type Segment = Known['segment'];
export type SeenState = Known['state_span'];
export type PlayDetail = Known['play_detail'];
export type PlaysPage = Known['plays'];

export type Named = Known['choice'];
export type Choices = Known['filters'];

export type Reason = Known['import_reason'];
export type Import = Known['import'];

export type KnownUser = Known['known_user'];
export type LinkedAccount = Known['linked_account'];
export type AccountChoice = Known['account_choice'];

export type BackupJob = Known['backup_job'];
export type Backup = Known['backup'];
export type KeptAs = Backup['kept_as'][number];
export type Backups = Known['backups'];
export type RestoreBackup = Known['restore_backup'];
export type Restore = Known['restore'];

export type Token = Known['token'];
export type AuditRow = Known['audit_row'];
export type AuditKind = AuditRow['kind'];
export type About = Known['about'];

export type MergeReason = Known['merge_reason'];
export type Account = Known['person_account'];
export type Person = Known['person'];
export type PeoplePage = Known['people'];
export type RecentPlay = Known['person_play'];
export type PersonEvent = Known['person_event'];
export type Profile = Known['person_profile'];
export type Suggestion = Known['suggestion'];
export type Decided = Known['decided'];

export type Gap = Known['coverage_gap'];
// What every answer to a question says about itself.
export type Meta = Known['query_meta'];
// Row: of queries.gen.ts.
export interface Answer<Row> {
  data: Row[];
  meta: Meta;
  // With compare=previous or year: the rows of that other span.
  compare?: { from: string; to: string; data: Row[] };
  // With explain=1.
  explain?: Known['explanation'];
}

export type Frame = Known[Extract<keyof Known, `frame_${string}`>];
