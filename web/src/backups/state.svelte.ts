// How backups and a restore stand: asked for every second while something goes on, and now and then.
// A file that is sent from this window is known here alone.
import { api, ApiError, sendBackup } from '../lib/api';
import { asking } from '../lib/asking.svelte';
import type { Restore } from '../lib/types';

const SOON_MS = 1000;
const LATER_MS = 20000;

const problemOf = (error: unknown): ApiError => (error instanceof ApiError ? error : new ApiError(0, 'INTERNAL', String(error)));

export class BackupsState {
  kept = asking(api.backups, 'no');
  #asked = asking(api.restore, 'no');
  #answered = $state.raw<{ restore: Restore; tries: number } | null>(null);
  // The file that is on its way, and the share that is sent.
  file = $state.raw<File | null>(null);
  sent = $state<number | null>(null);
  // Of what was asked for last.
  error = $state.raw<ApiError | null>(null);
  #sending: AbortController | null = null;

  constructor() {
    $effect(() => {
      const timer = setInterval(this.look, this.#isMoving ? SOON_MS : LATER_MS);
      return () => clearInterval(timer);
    });
    $effect(() => () => this.#sending?.abort());
  }

  look = (): void => {
    this.kept.retry();
    this.#asked.retry();
  };

  get restore(): Restore | null {
    return this.#answered && this.#answered.tries === this.#asked.tries ? this.#answered.restore : this.#asked.data;
  }

  get problem(): ApiError | null {
    return this.#asked.error;
  }

  get #isMoving(): boolean {
    const state = this.restore?.state;
    return this.kept.data?.job?.state === 'running' || state === 'verifying' || state === 'uploading';
  }

  // Asks for something and looks what came of it; true if it went well.
  async act(what: () => Promise<unknown>): Promise<boolean> {
    this.error = null;
    try {
      await what();
      return true;
    } catch (error) {
      this.error = problemOf(error);
      return false;
    } finally {
      this.look();
    }
  }

  // What answers how the restore stands now is shown at once.
  async answer(what: () => Promise<Restore>): Promise<boolean> {
    return this.act(async () => {
      const restore = await what();
      this.#answered = { restore, tries: this.#asked.tries + 1 };
    });
  }

  async send(file: File): Promise<void> {
    this.file = file;
    this.sent = 0;
    this.error = null;
    this.#sending = new AbortController();
    try {
      await sendBackup(file, new URLSearchParams({ name: file.name }), (share) => (this.sent = share), this.#sending.signal);
    } catch (error) {
      if (!this.#sending.signal.aborted) this.error = problemOf(error);
    }
    this.file = null;
    this.sent = null;
    this.look();
  }

  stopSending = (): void => this.#sending?.abort();
}
