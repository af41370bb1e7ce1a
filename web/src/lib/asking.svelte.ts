// How a panel asks: one question at a time, asked again when what it depends on changes, when data
// changed on the server, and by retry(). An overtaken request is cancelled and never shown; what
// was shown before stays until the next answer. One panel's failure is that panel's.
//
//   const trends = asking((signal) => api.analytics<TrendsRow>('trends', filterOf(route.query), signal));
//   trends.data (null: none yet), trends.error (null: the last one went well), trends.isBusy
import { untrack } from 'svelte';
import { ApiError } from './api';
import { live } from './live.svelte';

export class Asking<T> {
  data = $state.raw<T | null>(null);
  error = $state.raw<ApiError | null>(null);
  isBusy = $state(true);
  // When the data that is shown was answered, milliseconds.
  at = $state(0);
  tries = $state(0);

  retry = (): void => {
    this.tries++;
  };
}

// Call it while a component is set up. get reads what it depends on before its first await.
// following: whether it is asked again when data changed: at once, slowly (what takes a whole history
// to work out need not be of this second), or not at all.
export function asking<T>(get: (signal: AbortSignal) => Promise<T>, following: 'now' | 'slowly' | 'no' = 'now'): Asking<T> {
  const asked = new Asking<T>();
  const versions = { now: () => live.dataVersion, slowly: () => live.slowVersion, no: () => 0 };
  let last: number | null = null;
  $effect(() => {
    void asked.tries;
    const version = versions[following]();
    // The same question about newer data: what is shown is not wrong meanwhile.
    const isSame = last !== null && version !== last && untrack(() => asked.data !== null);
    last = version;
    const overtaken = new AbortController();
    if (!isSame) asked.isBusy = true;
    get(overtaken.signal)
      .then((data) => {
        if (overtaken.signal.aborted) return;
        asked.data = data;
        asked.error = null;
        asked.at = Date.now();
        asked.isBusy = false;
      })
      .catch((error: unknown) => {
        if (overtaken.signal.aborted) return;
        asked.error = error instanceof ApiError ? error : new ApiError(0, 'INTERNAL', String(error));
        asked.isBusy = false;
      });
    return () => overtaken.abort();
  });
  return asked;
}
