// What an administrator decides about people; each comes with a way back.
import { api } from '../lib/api';
import { decider } from '../lib/decide';
import { texts } from '../lib/text';
import { people } from '../messages/people';

const t = texts(people);

const { decide, undo } = decider((decision) => api.undoPeople(decision));

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
export const undoDecision = undo;
