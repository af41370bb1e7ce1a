// What an administrator decides about titles; each comes with a way back.
import { api } from '../lib/api';
import { decider } from '../lib/decide';
import { texts } from '../lib/text';
import { titles } from '../messages/titles';

const t = texts(titles);
const { decide, undo } = decider((decision) => api.undoTitles(decision));

export const mergeTitles = (ids: number[], name: string, again: () => void): Promise<boolean> =>
  decide(() => api.mergeTitles(ids), t('done.merge', { name }), again);
export const partTitles = (ids: number[], again: () => void): Promise<boolean> =>
  decide(() => api.partTitles(ids), t('done.part'), again);
export const splitItem = (id: number, name: string, again: () => void): Promise<boolean> =>
  decide(() => api.splitItems([id]), t('done.split', { name }), again);
export const undoDecision = undo;
