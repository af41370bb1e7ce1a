// What the page asks of the server once somebody is logged in (docs/internals/api.md).
import { ApiError, call, failure, get, loggedOut, url } from './call';
import { zone } from './format';
import type { Decided, PeoplePage, Profile, Suggestion } from '../people/types';
import type {
  About, AccountChoice, Answer, AuditRow, Backups, Choices, Import, KnownUser, NowAnswer, PlayDetail,
  PlaysPage, Restore, Server, ServersAnswer, ServerTested, ServerWish, SqlAnswer, SqlTables, Token, User,
} from './types';

export { ApiError, url } from './call';

// A day is one of the reader's zone.
export function zoned(query: URLSearchParams): URLSearchParams {
  const next = new URLSearchParams(query);
  next.set('tz', zone);
  return next;
}

const linkOf = (user: number, account: { server: string; key: string }): string =>
  `/users/${user}/links/${encodeURIComponent(account.server)}/${encodeURIComponent(account.key)}`;

export const api = {
  logout: () => call<void>('/auth/logout', { method: 'POST' }),
  logoutEverywhere: () => call<void>('/auth/logout/all', { method: 'POST' }),
  sync: () => call<{ state: string }>('/sync/trigger', { method: 'POST' }),
  sessions: (signal?: AbortSignal) => get<NowAnswer>('/sessions', undefined, signal),
  choices: (signal?: AbortSignal) => get<Choices>('/filters', undefined, signal),

  servers: (signal?: AbortSignal) => get<ServersAnswer>('/servers', undefined, signal),
  testServer: (json: ServerWish) => call<ServerTested>('/servers/test', { method: 'POST', json }),
  addServer: (json: ServerWish) => call<{ server: Server }>('/servers', { method: 'POST', json }),
  editServer: (key: string, json: ServerWish) =>
    call<{ server: Server }>(`/servers/${encodeURIComponent(key)}`, { method: 'PATCH', json }),
  removeServer: (key: string, plays: 'keep' | 'delete') =>
    call<{ plays_deleted: number }>(`/servers/${encodeURIComponent(key)}?plays=${plays}`, { method: 'DELETE' }),
  syncServer: (key: string) => call<{ state: string }>(`/servers/${encodeURIComponent(key)}/sync`, { method: 'POST' }),

  plays: (query: URLSearchParams, signal?: AbortSignal) => get<PlaysPage>('/plays', zoned(query), signal),
  play: (id: number, signal?: AbortSignal) => get<PlayDetail>(`/plays/${id}`, undefined, signal),
  deletePlay: (id: number) => call<void>(`/plays/${id}`, { method: 'DELETE' }),
  restorePlay: (id: number) => call<void>(`/plays/${id}/restore`, { method: 'POST' }),

  people: (query: URLSearchParams, signal?: AbortSignal) => get<PeoplePage>('/people', query, signal),
  person: (id: number, signal?: AbortSignal) => get<Profile>(`/people/${id}`, undefined, signal),
  suggestions: (signal?: AbortSignal) => get<{ suggestions: Suggestion[] }>('/people/suggestions', undefined, signal),
  mergePeople: (people: number[]) => call<Decided>('/people/merge', { method: 'POST', json: { people } }),
  joinAccounts: (accounts: number[]) => call<Decided>('/people/merge', { method: 'POST', json: { accounts } }),
  partPeople: (people: number[]) => call<Decided>('/people/split', { method: 'POST', json: { people } }),
  splitAccounts: (accounts: number[]) => call<Decided>('/people/split', { method: 'POST', json: { accounts } }),
  renamePerson: (id: number, name: string) => call<Decided>(`/people/${id}`, { method: 'PATCH', json: { name } }),
  undoPeople: (decision: number) => call<void>(`/people/history/${decision}/undo`, { method: 'POST' }),

  // Row: one of the generated types of the query. query: the filter and the query's parameters.
  analytics: <Row>(name: string, query: URLSearchParams, signal?: AbortSignal) =>
    get<Answer<Row>>(`/analytics/${name}`, zoned(query), signal),

  imports: (signal?: AbortSignal) => get<{ imports: Import[] }>('/import', undefined, signal),
  import: (id: number, signal?: AbortSignal) => get<{ import: Import }>(`/import/${id}`, undefined, signal),
  cancelImport: (id: number) => call<void>(`/import/${id}/cancel`, { method: 'POST' }),
  undoImport: (id: number) => call<void>(`/import/${id}`, { method: 'DELETE' }),

  sqlTables: (signal?: AbortSignal) => get<SqlTables>('/sql', undefined, signal),
  sql: (json: { sql: string; limit: number }, signal: AbortSignal) => call<SqlAnswer>('/sql', { method: 'POST', json, signal }),

  users: (signal?: AbortSignal) => get<{ users: KnownUser[] }>('/users', undefined, signal),
  accounts: (search: string, signal?: AbortSignal) =>
    get<{ accounts: AccountChoice[] }>('/user-accounts', new URLSearchParams({ search }), signal),
  addUser: (user: { name: string; password: string; role: User['role'] }) =>
    call<{ id: number }>('/users', { method: 'POST', json: user }),
  changeUser: (id: number, change: { role: User['role'] } | { password: string } | { is_disabled: boolean }) =>
    call<void>(`/users/${id}`, { method: 'PUT', json: change }),
  removeUser: (id: number) => call<void>(`/users/${id}`, { method: 'DELETE' }),
  resetUser: (name: string) => call<void>(`/users/${encodeURIComponent(name)}/reset`, { method: 'POST' }),
  linkAccount: (id: number, account: { server: string; key: string }) => call<void>(linkOf(id, account), { method: 'PUT' }),
  unlinkAccount: (id: number, account: { server: string; key: string }) => call<void>(linkOf(id, account), { method: 'DELETE' }),

  tokens: (signal?: AbortSignal) => get<{ tokens: Token[] }>('/tokens', undefined, signal),
  addToken: (order: { name: string; scope: Token['scope']; days: number }) =>
    call<{ secret: string; token: Token }>('/tokens', { method: 'POST', json: order }),
  removeToken: (id: number) => call<void>(`/tokens/${id}`, { method: 'DELETE' }),
  audit: (query: URLSearchParams, signal?: AbortSignal) =>
    get<{ rows: AuditRow[]; next_before: number | null }>('/audit', query, signal),
  about: (signal?: AbortSignal) => get<About>('/about', undefined, signal),

  backups: (signal?: AbortSignal) => get<Backups>('/backups', undefined, signal),
  makeBackup: () => call<unknown>('/backups', { method: 'POST' }),
  cancelBackup: () => call<void>('/backups/job/cancel', { method: 'POST' }),
  deleteBackup: (name: string) => call<void>(`/backups/${name}`, { method: 'DELETE' }),
  pruneBackups: () => call<{ removed: number }>('/backups', { method: 'DELETE' }),

  restore: (signal?: AbortSignal) => get<Restore>('/restore', undefined, signal),
  restoreKept: (name: string) => call<Restore>(`/restore?backup=${name}`, { method: 'POST' }),
  unlockRestore: (passphrase: string) => call<Restore>('/restore/unlock', { method: 'POST', json: { passphrase } }),
  confirmRestore: (id: number) => call<Restore>('/restore/confirm', { method: 'POST', json: { id } }),
  dropRestore: () => call<void>('/restore', { method: 'DELETE' }),
  forgetRestore: () => call<void>('/restore/last', { method: 'DELETE' }),
};

// Sends a file as it is, telling the share sent: fetch cannot tell, so this is an XMLHttpRequest.
function sendFile<T>(path: string, file: File, sent: (share: number) => void, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', path);
    request.responseType = 'text';
    request.setRequestHeader('Content-Type', 'application/octet-stream');
    request.upload.onprogress = (event) => sent(event.lengthComputable ? event.loaded / event.total : 0);
    request.onload = () => {
      if (request.status < 300) {
        resolve(JSON.parse(request.responseText) as T);
        return;
      }
      if (request.status === 401) loggedOut();
      void failure(new Response(request.responseText, { status: request.status, statusText: request.statusText })).then(reject);
    };
    request.onerror = () => reject(new ApiError(0, 'UNAVAILABLE', ''));
    request.onabort = () => reject(new DOMException('cancelled', 'AbortError'));
    signal.addEventListener('abort', () => request.abort(), { once: true });
    request.send(file);
  });
}

// All rows of an answer, as a file.
export async function fetchSqlFile(sql: string, signal: AbortSignal): Promise<Blob> {
  const answer = await fetch(url('/sql', new URLSearchParams({ format: 'csv' })), {
    method: 'POST', credentials: 'same-origin', signal, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ sql }),
  });
  if (answer.status === 401) loggedOut();
  if (!answer.ok) throw await failure(answer);
  return answer.blob();
}

type Send<T> = (file: File, query: URLSearchParams, sent: (share: number) => void, signal: AbortSignal) => Promise<T>;
export const sendImport: Send<{ import: Import }> = (file, query, ...rest) => sendFile(url('/import', query), file, ...rest);
export const sendBackup: Send<Restore> = (file, query, ...rest) => sendFile(url('/restore', query), file, ...rest);
