// The one way the page talks to the server (docs/internals/api.md).

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly field: string,
    readonly requestId: string,
  ) {
    super(message);
  }
}

export interface User {
  name: string;
  role: 'admin' | 'viewer';
}

export interface AppInfo {
  version: string;
  demo: boolean;
  user: User | null;
  time_zone: string;
  auth_modes: string[];
}

export interface ServerStatus {
  ordinal: number;
  kind: 'plex' | 'jellyfin' | 'emby';
  state: 'connecting' | 'connected' | 'polling' | 'blind' | 'unauthorized' | 'unreachable';
  percent: number | null;
  key?: string;
  name?: string;
  error?: string | null;
}

export interface Session {
  id: string;
  server: string;
  server_kind: ServerStatus['kind'];
  state: 'playing' | 'paused' | 'buffering';
  person: string | null;
  account: string | null;
  media_type: string | null;
  title: string | null;
  grandparent_title: string | null;
  season: number | null;
  episode: number | null;
  year: number | null;
  position_ms: number | null;
  duration_ms: number | null;
  updated_at: string;
  player: string | null;
  product: string | null;
  place: string | null;
  transcode_decision: string | null;
  video_codec: string | null;
  video_resolution: string | null;
  stream_video_codec: string | null;
  stream_video_resolution: string | null;
}

export interface NowAnswer {
  sessions: Session[];
  servers: ServerStatus[];
}

export interface Play {
  id: number;
  started: string;
  watch_ms: number;
  watch_low_ms: number;
  watch_high_ms: number;
  percent: number | null;
  is_watched: boolean;
  is_open: boolean;
  kind: 'play' | 'view';
  server: string;
  person: string | null;
  media_type: string;
  full_title: string;
  season: number | null;
  episode: number | null;
  year: number | null;
  player: string | null;
  transcode_decision: string | null;
  video_resolution: string | null;
}

export interface PlaysPage {
  rows: Play[];
  next_cursor: string | null;
  total: number;
}

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await fetch(`/api/v1${path}`, {
    method,
    credentials: 'same-origin',
    ...(body === undefined
      ? {}
      : { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
  });
  if (answer.status === 204) return undefined as T;
  const data: unknown = await answer.json().catch(() => null);
  if (answer.ok) return data as T;
  const error = (data as { error?: Record<string, string> } | null)?.error ?? {};
  throw new ApiError(
    answer.status,
    error['code'] ?? 'UNAVAILABLE',
    error['message'] ?? answer.statusText,
    error['field'] ?? '',
    error['request_id'] ?? '',
  );
}

export const api = {
  app: () => call<AppInfo>('GET', '/app'),
  login: (username: string, password: string) =>
    call<{ user: User }>('POST', '/auth/login', { username, password }),
  logout: () => call<void>('POST', '/auth/logout'),
  sessions: () => call<NowAnswer>('GET', '/sessions'),
  plays: (filter: URLSearchParams) => call<PlaysPage>('GET', `/plays?${filter}`),
};

type Frame =
  | { type: 'session_start' | 'session_progress'; data: Session }
  | { type: 'session_stop'; data: { id: string } }
  | { type: 'sync'; data: { servers: ServerStatus[] } }
  | { type: 'resync' };

// Live updates: calls `frame` for each, and `ask` whenever the whole state has to be asked for
// (after a connect, and when the server says that frames were missed). Returns what ends it.
export function live(frame: (f: Frame) => void, ask: () => void): () => void {
  let socket: WebSocket | null = null;
  let isOver = false;
  let wait = 1000;
  const open = (): void => {
    if (isOver) return;
    socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/api/v1/ws`);
    socket.onopen = () => {
      wait = 1000;
      ask();
    };
    socket.onmessage = (event) => {
      const f = JSON.parse(String(event.data)) as Frame;
      if (f.type === 'resync') ask();
      else frame(f);
    };
    socket.onclose = () => {
      setTimeout(open, wait * (0.5 + Math.random()));
      wait = Math.min(wait * 2, 30_000);
    };
  };
  open();
  // What the socket may miss, a slow poll finds.
  const poll = setInterval(ask, 30_000);
  return () => {
    isOver = true;
    clearInterval(poll);
    socket?.close();
  };
}
