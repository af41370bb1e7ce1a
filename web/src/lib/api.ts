// What the page asks of the server once somebody is logged in (docs/internals/api.md).
import { ask, type Body } from './ask';
import { ApiError, failure, get, loggedOut, url } from './call';
import { zone } from './format';
import type { Description } from '../reference/description';
import type { Answer, Import, Restore, User } from './types';

export { ApiError, url } from './call';

// A day is one of the reader's zone.
export function zoned(query: URLSearchParams): URLSearchParams {
  const next = new URLSearchParams(query);
  next.set('tz', zone);
  return next;
}

interface AccountName { server: string; key: string }
const linkOf = (user: number, { server, key }: AccountName): { user: number; server: string; key: string } => ({ user, server, key });

export const api = {
  logout: () => ask('POST /auth/logout'),
  logoutEverywhere: () => ask('POST /auth/logout/all'),
  sync: () => ask('POST /sync/trigger'),
  sessions: (signal?: AbortSignal) => ask('GET /sessions', { signal }),
  choices: (signal?: AbortSignal) => ask('GET /filters', { signal }),

  servers: (signal?: AbortSignal) => ask('GET /servers', { signal }),
  testServer: (json: Body<'POST /servers/test'>) => ask('POST /servers/test', { json }),
  addServer: (json: Body<'POST /servers'>) => ask('POST /servers', { json }),
  editServer: (server_key: string, json: Body<'PATCH /servers/{server_key}'>) =>
    ask('PATCH /servers/{server_key}', { path: { server_key }, json }),
  removeServer: (server_key: string, plays: 'keep' | 'delete') =>
    ask('DELETE /servers/{server_key}', { path: { server_key }, query: { plays } }),
  syncServer: (server_key: string) => ask('POST /servers/{server_key}/sync', { path: { server_key } }),

  plays: (query: URLSearchParams, signal?: AbortSignal) => ask('GET /plays', { query: zoned(query), signal }),
  play: (id: number, signal?: AbortSignal) => ask('GET /plays/{id}', { path: { id }, signal }),
  deletePlay: (id: number) => ask('DELETE /plays/{id}', { path: { id } }),
  restorePlay: (id: number) => ask('POST /plays/{id}/restore', { path: { id } }),

  people: (query: URLSearchParams, signal?: AbortSignal) => ask('GET /people', { query, signal }),
  person: (id: number, signal?: AbortSignal) => ask('GET /people/{id}', { path: { id }, signal }),
  suggestions: (signal?: AbortSignal) => ask('GET /people/suggestions', { signal }),
  mergePeople: (people: number[]) => ask('POST /people/merge', { json: { people } }),
  joinAccounts: (accounts: number[]) => ask('POST /people/merge', { json: { accounts } }),
  partPeople: (people: number[]) => ask('POST /people/split', { json: { people } }),
  splitAccounts: (accounts: number[]) => ask('POST /people/split', { json: { accounts } }),
  renamePerson: (id: number, name: string) => ask('PATCH /people/{id}', { path: { id }, json: { name } }),
  undoPeople: (id: number) => ask('POST /people/history/{id}/undo', { path: { id } }),

  // Row: one of the generated types of the query. query: the filter and the query's parameters.
  analytics: <Row>(name: string, query: URLSearchParams, signal?: AbortSignal) =>
    get<Answer<Row>>(`/analytics/${name}`, zoned(query), signal),

  imports: (signal?: AbortSignal) => ask('GET /import', { signal }),
  import: (id: number, signal?: AbortSignal) => ask('GET /import/{id}', { path: { id }, signal }),
  cancelImport: (id: number) => ask('POST /import/{id}/cancel', { path: { id } }),
  undoImport: (id: number) => ask('DELETE /import/{id}', { path: { id } }),

  users: (signal?: AbortSignal) => ask('GET /users', { signal }),
  accounts: (search: string, signal?: AbortSignal) => ask('GET /user-accounts', { query: { search }, signal }),
  addUser: (json: { name: string; password: string; role: User['role'] }) => ask('POST /users', { json }),
  changeUser: (user: number, json: Body<'PUT /users/{user}'>) => ask('PUT /users/{user}', { path: { user }, json }),
  removeUser: (user: number) => ask('DELETE /users/{user}', { path: { user } }),
  resetUser: (account: string) => ask('POST /users/{account}/reset', { path: { account } }),
  linkAccount: (id: number, account: AccountName) => ask('PUT /users/{user}/links/{server}/{key}', { path: linkOf(id, account) }),
  unlinkAccount: (id: number, account: AccountName) => ask('DELETE /users/{user}/links/{server}/{key}', { path: linkOf(id, account) }),

  tokens: (signal?: AbortSignal) => ask('GET /tokens', { signal }),
  addToken: (json: Body<'POST /tokens'>) => ask('POST /tokens', { json }),
  removeToken: (id: number) => ask('DELETE /tokens/{id}', { path: { id } }),
  audit: (query: URLSearchParams, signal?: AbortSignal) => ask('GET /audit', { query, signal }),
  description: (signal?: AbortSignal) => get<Description>('/openapi.json', undefined, signal),
  about: (signal?: AbortSignal) => ask('GET /about', { signal }),

  backups: (signal?: AbortSignal) => ask('GET /backups', { signal }),
  makeBackup: () => ask('POST /backups'),
  cancelBackup: () => ask('POST /backups/job/cancel'),
  deleteBackup: (backup: string) => ask('DELETE /backups/{backup}', { path: { backup } }),
  pruneBackups: () => ask('DELETE /backups'),

  restore: (signal?: AbortSignal) => ask('GET /restore', { signal }),
  restoreKept: (backup: string) => ask('POST /restore', { query: { backup } }),
  unlockRestore: (passphrase: string) => ask('POST /restore/unlock', { json: { passphrase } }),
  confirmRestore: (id: number) => ask('POST /restore/confirm', { json: { id } }),
  dropRestore: () => ask('DELETE /restore'),
  forgetRestore: () => ask('DELETE /restore/last'),
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

type Send<T> = (file: File, query: URLSearchParams, sent: (share: number) => void, signal: AbortSignal) => Promise<T>;
export const sendImport: Send<{ import: Import }> = (file, query, ...rest) => sendFile(url('/import', query), file, ...rest);
export const sendBackup: Send<Restore> = (file, query, ...rest) => sendFile(url('/restore', query), file, ...rest);
