// Deletes a play, and takes that back.
import { api, ApiError } from '../lib/api';
import type { Paged } from '../lib/paged.svelte';
import { texts } from '../lib/text';
import { toasts } from '../lib/toasts.svelte';
import type { Play } from '../lib/types';
import { history } from '../messages/history';
import { headingOf } from './words';

const t = texts(history);

function failed(error: unknown): void {
  toasts.show({ text: t('play.failed', { why: error instanceof ApiError ? error.message : String(error) }) });
}

// True if it is there again.
export async function restorePlay(play: Play): Promise<boolean> {
  try {
    await api.restorePlay(play.id);
  } catch (error) {
    failed(error);
    return false;
  }
  toasts.show({ text: t('play.restored', { title: headingOf(play) }) });
  return true;
}

export async function removePlay(play: Play, list: Paged<Play>): Promise<void> {
  try {
    await api.deletePlay(play.id);
  } catch (error) {
    failed(error);
    return;
  }
  const index = list.remove((p) => p.id === play.id);
  const undo = async (): Promise<void> => {
    if ((await restorePlay(play)) && index >= 0) list.insert(index, play);
  };
  toasts.show({ text: t('play.deleted', { title: headingOf(play) }), action: { label: t('play.undo'), run: undo } });
}
