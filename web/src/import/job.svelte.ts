// One file on its way in: sent to be looked through, shown, and only when confirmed sent again to
// be imported. News come as frames; a slow poll is behind them.
import { api, ApiError, sendImport } from '../lib/api';
import { live } from '../lib/live.svelte';
import type { Import } from '../lib/types';

const POLL_MS = 2000;

export const isEnded = (one: Import): boolean => one.state !== 'counting' && one.state !== 'running';

export class ImportJob {
  file = $state.raw<File | null>(null);
  server = $state('');
  // The share of the file that is sent, while it is being sent.
  sent = $state<number | null>(null);
  error = $state.raw<ApiError | null>(null);
  #id = $state<number | null>(null);
  #polled = $state.raw<Import | null>(null);
  #sending: AbortController | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;

  // The import of the file, as last heard of.
  get import(): Import | null {
    if (this.#id === null) return null;
    const pushed = live.imports[this.#id] ?? null;
    const polled = this.#polled;
    if (!pushed || !polled) return pushed ?? polled;
    return isEnded(polled) || polled.rows_read > pushed.rows_read ? polled : pushed;
  }

  look(file: File): Promise<void> {
    this.file = file;
    return this.#send(true);
  }

  confirm(): Promise<void> {
    return this.#send(false);
  }

  cancel(): void {
    this.#sending?.abort();
    if (this.#id !== null) void api.cancelImport(this.#id).catch(() => {});
    else this.reset();
  }

  reset(): void {
    this.#sending?.abort();
    clearInterval(this.#timer);
    this.file = null;
    this.sent = null;
    this.error = null;
    this.#id = null;
    this.#polled = null;
  }

  async #send(isDry: boolean): Promise<void> {
    const file = this.file;
    if (!file) return;
    clearInterval(this.#timer);
    this.#id = null;
    this.#polled = null;
    this.error = null;
    this.sent = 0;
    this.#sending = new AbortController();
    const query = new URLSearchParams({ name: file.name, dry_run: isDry ? '1' : '0' });
    if (this.server) query.set('server', this.server);
    try {
      const { import: begun } = await sendImport(file, query, (share) => (this.sent = share), this.#sending.signal);
      this.#id = begun.id;
      this.#polled = begun;
      this.#timer = setInterval(() => void this.#poll(), POLL_MS);
    } catch (error) {
      if (error instanceof ApiError) this.error = error;
    } finally {
      this.sent = null;
    }
  }

  async #poll(): Promise<void> {
    const now = this.import;
    if (this.#id === null || (now && isEnded(now))) {
      clearInterval(this.#timer);
      return;
    }
    try {
      this.#polled = (await api.import(this.#id)).import;
    } catch (error) {
      // What is gone will not come back; anything else may.
      if (error instanceof ApiError && error.status === 404) this.error = error;
      if (this.error) clearInterval(this.#timer);
    }
  }
}
