// What happens now, for the whole page: one WebSocket while somebody is logged in, and state that
// every place may read. What the socket may miss, a slow poll finds.
import { ApiError, api, url } from './api';
import type { Frame, Import, OwnAccount, ServerStatus, Session, Today } from './types';

const POLL_MS = 30_000;
// However often data changes, panels ask again at most this often.
const REFRESH_MS = 5_000;
const SLOW_MS = 60_000;

class Live {
  sessions = $state<Session[]>([]);
  servers = $state<ServerStatus[]>([]);
  today = $state.raw<Today | null>(null);
  // Whose plays a viewer sees; null: everybody's, or not known yet.
  accounts = $state.raw<OwnAccount[] | null>(null);
  error = $state.raw<ApiError | null>(null);
  isLoaded = $state(false);
  // False: what is shown may be old.
  isConnected = $state(false);
  // Grows when panels should ask again.
  dataVersion = $state(0);
  // The same, a minute behind at most.
  slowVersion = $state(0);
  // The last news of each import.
  imports = $state<Record<number, Import>>({});
  // The clock of everything that shows an age, a tick a second. Corrected by the server's.
  now = $state(Date.now());

  #socket: WebSocket | null = null;
  #isOver = true;
  #waitMs = 1000;
  #skewMs = 0;
  #changedAt = 0;
  #changing: ReturnType<typeof setTimeout> | undefined;
  #slow: ReturnType<typeof setTimeout> | undefined;

  ask = async (): Promise<void> => {
    try {
      const answer = await api.sessions();
      this.sessions = answer.sessions;
      this.servers = answer.servers;
      this.today = answer.today;
      this.accounts = answer.accounts;
      this.#skewMs = Date.parse(answer.at) - Date.now();
      this.#tick();
      this.error = null;
      this.isLoaded = true;
    } catch (error) {
      this.error = error instanceof ApiError ? error : new ApiError(0, 'INTERNAL', String(error));
    }
  };

  // Returns what ends it.
  start(): () => void {
    this.#isOver = false;
    this.#open();
    // If the socket does not open soon, do not wait for it.
    const first = setTimeout(() => this.isLoaded || void this.ask(), 1000);
    const poll = setInterval(() => document.hidden || void this.ask(), POLL_MS);
    const clock = setInterval(() => this.#tick(), 1000);
    const seen = (): void => {
      if (document.hidden) return;
      void this.ask();
      this.refresh();
    };
    document.addEventListener('visibilitychange', seen);
    return () => {
      this.#isOver = true;
      clearTimeout(first);
      clearInterval(poll);
      clearInterval(clock);
      clearTimeout(this.#changing);
      clearTimeout(this.#slow);
      this.#slow = undefined;
      document.removeEventListener('visibilitychange', seen);
      this.#socket?.close();
    };
  }

  #tick(): void {
    this.now = Date.now() + this.#skewMs;
  }

  #open(): void {
    if (this.#isOver) return;
    const socket = new WebSocket(new URL(url('/ws'), location.href.replace(/^http/, 'ws')));
    this.#socket = socket;
    socket.onopen = () => {
      this.#waitMs = 1000;
      this.isConnected = true;
      void this.ask();
    };
    socket.onmessage = (event) => this.#take(JSON.parse(String(event.data)) as Frame);
    socket.onclose = (event) => {
      this.isConnected = false;
      // The login has ended: an answer says so, and the page goes to its door. Who logs out here is on
      // the way there already.
      if (event.code === 1008) setTimeout(() => this.#isOver || void this.ask(), 300);
      setTimeout(() => this.#open(), this.#waitMs * (0.5 + Math.random()));
      this.#waitMs = Math.min(this.#waitMs * 2, 30_000);
    };
  }

  #take(frame: Frame): void {
    switch (frame.type) {
      case 'session_start':
      case 'session_progress': {
        const at = this.sessions.findIndex((s) => s.id === frame.data.id);
        if (at >= 0) this.sessions[at] = frame.data;
        else this.sessions.push(frame.data);
        break;
      }
      case 'session_stop':
        this.sessions = this.sessions.filter((s) => s.id !== frame.data.id);
        break;
      case 'sync':
        // Frames to everybody lack what only a login may see: keep what is known.
        this.servers = frame.data.servers.map((s) => ({
          // A viewer's have no key.
          ...this.servers.find((known) => (s.key ? known.key === s.key : known.ordinal === s.ordinal)),
          ...s,
        }));
        break;
      case 'import':
        this.imports[frame.data.id] = frame.data;
        break;
      case 'data_changed':
        this.refresh();
        break;
      case 'resync':
        void this.ask();
        this.refresh();
    }
  }

  // Has every panel ask again, now or when it is their turn.
  refresh(): void {
    clearTimeout(this.#changing);
    const wait = Math.max(0, this.#changedAt + REFRESH_MS - Date.now());
    this.#changing = setTimeout(() => {
      if (document.hidden) return;
      this.#changedAt = Date.now();
      this.dataVersion++;
      this.#slow ??= setTimeout(() => {
        this.#slow = undefined;
        this.slowVersion++;
      }, SLOW_MS);
    }, wait);
  }
}

export const live = new Live();
