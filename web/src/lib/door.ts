// What is asked before somebody is logged in. The rest stands in api.ts, so that the login stays small.
import { ask } from './ask';

export const door = {
  app: () => ask('GET /app'),
  login: (username: string, password: string) => ask('POST /auth/login', { json: { username, password } }),
  plexBegin: () => ask('POST /auth/plex'),
  plexState: () => ask('POST /auth/plex/state'),
  // Also while the page goes away.
  plexCancel: () => ask('DELETE /auth/plex', { isLast: true }),
};
