// What an administrator decides, with a way back: each decision has a number by which it is undone.
import { ApiError } from './api';
import { toasts } from './toasts.svelte';
import { texts } from './text';
import { deciding } from '../messages/deciding';
import type { Decided } from './types';

const t = texts(deciding);

function failed(error: unknown): void {
  toasts.show({ text: t('failed', { why: error instanceof ApiError ? error.message : String(error) }) });
}

export interface Decider {
  // True if it was done. again: what shows it asks anew.
  decide: (what: () => Promise<Decided>, said: string, again: () => void) => Promise<boolean>;
  undo: (decision: number, again: () => void) => Promise<void>;
}

export function decider(takeBack: (decision: number) => Promise<void>): Decider {
  async function undo(decision: number, again: () => void): Promise<void> {
    try {
      await takeBack(decision);
    } catch (error) {
      failed(error);
      return;
    }
    toasts.show({ text: t('done.undo') });
    again();
  }
  async function decide(what: () => Promise<Decided>, said: string, again: () => void): Promise<boolean> {
    let done: Decided;
    try {
      done = await what();
    } catch (error) {
      failed(error);
      return false;
    }
    toasts.show({ text: said, action: { label: t('undo'), run: () => undo(done.decision, again) } });
    again();
    return true;
  }
  return { decide, undo };
}
