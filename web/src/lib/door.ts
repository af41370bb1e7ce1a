// What is asked before somebody is logged in. The rest stands in api.ts, so that the login stays small.
import { call, get } from './call';
import type { AppInfo, PlexLogin, PlexLoginState, User } from './types';

export const door = {
  app: () => get<AppInfo>('/app'),
  login: (username: string, password: string) =>
    call<{ user: User }>('/auth/login', { method: 'POST', json: { username, password } }),
  plexBegin: () => call<PlexLogin>('/auth/plex', { method: 'POST' }),
  plexState: () => call<PlexLoginState>('/auth/plex/state', { method: 'POST' }),
  // Also while the page goes away.
  plexCancel: () => call<void>('/auth/plex', { method: 'DELETE', isLast: true }),
};
