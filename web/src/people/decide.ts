// What an administrator decides about people; each comes with a way back.
import { api, ApiError } from '../lib/api';
import { texts } from '../lib/text';
import { toasts } from '../lib/toasts.svelte';
import { people } from '../messages/people';
import type { Decided } from '../lib/types';

const t = texts(people);

function failed(error: unknown): void {
  toasts.show({ text: t('failed', { why: error instanceof ApiError ? error.message : String(error) }) });
}

// True if it was done. again: what shows people asks anew.
async function decide(what: () => Promise<Decided>, said: string, again: () => void): Promise<boolean> {
  let done: Decided;
  try {
    done = await what();
  } catch (error) {
    failed(error);
    return false;
  }
  toasts.show({ text: said, action: { label: t('undo'), run: () => undoDecision(done.decision, again) } });
  again();
  return true;
}

export const mergePeople = (ids: number[], name: string, again: () => void): Promise<boolean> =>
  decide(() => api.mergePeople(ids), t('done.merge', { name }), again);
export const confirmPerson = (accounts: number[], name: string, again: () => void): Promise<boolean> =>
  decide(() => api.joinAccounts(accounts), t('done.confirm', { name }), again);
export const partPeople = (ids: number[], again: () => void): Promise<boolean> =>
  decide(() => api.partPeople(ids), t('done.part'), again);
export const splitAccount = (id: number, name: string, again: () => void): Promise<boolean> =>
  decide(() => api.splitAccounts([id]), t('done.split', { name }), again);
export const renamePerson = (id: number, name: string, again: () => void): Promise<boolean> =>
  decide(() => api.renamePerson(id, name), name ? t('done.rename', { name }) : t('done.rename_back'), again);

export async function undoDecision(decision: number, again: () => void): Promise<void> {
  try {
    await api.undoPeople(decision);
  } catch (error) {
    failed(error);
    return;
  }
  toasts.show({ text: t('done.undo') });
  again();
}
