// Deletes a play and offers to undo it.
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

export async function removePlay(play: Play, list: Paged<Play>): Promise<void> {
  const title = headingOf(play);
  try {
    await api.deletePlay(play.id);
  } catch (error) {
    failed(error);
    return;
  }
  const index = list.remove((p) => p.id === play.id);
  const undo = async (): Promise<void> => {
    try {
      await api.restorePlay(play.id);
      if (index >= 0) list.insert(index, play);
      toasts.show({ text: t('play.restored', { title }) });
    } catch (error) {
      failed(error);
    }
  };
  toasts.show({ text: t('play.deleted', { title }), action: { label: t('play.undo'), run: undo } });
}
