// How the page talks to the server; what is asked stands in door.ts and api.ts. Every failure is an ApiError;
// an aborted request throws the signal's own AbortError. See asking.svelte.ts for how a panel asks.
import { base } from './base';
import { readable } from './route.svelte';

export class ApiError extends Error {
  constructor(
    readonly status: number, // 0: no answer at all
    readonly code: string,
    message: string,
    readonly field = '',
    readonly requestId = '',
  ) {
    super(message);
  }
}

// Told when an answer says that nobody is logged in any more.
export let loggedOut: () => void = () => {};
export function onLoggedOut(tell: () => void): void {
  loggedOut = tell;
}

interface Options {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  json?: unknown;
  signal?: AbortSignal | undefined;
  isLast?: boolean; // to be sent even if the page goes away
}

export async function failure(answer: Response): Promise<ApiError> {
  const data: unknown = await answer.json().catch(() => null);
  const error = (data as { error?: Record<string, string> } | null)?.error ?? {};
  return new ApiError(
    answer.status,
    error['code'] ?? 'UNAVAILABLE',
    error['message'] ?? `${answer.status} ${answer.statusText}`,
    error['field'] ?? '',
    error['request_id'] ?? '',
  );
}

export const url = (path: string, query?: URLSearchParams): string =>
  `${base}/api/v1${path}${query?.size ? `?${readable(query)}` : ''}`;

export async function call<T>(path: string, options: Options = {}): Promise<T> {
  const { method = 'GET', json, signal, isLast = false } = options;
  let answer: Response;
  try {
    answer = await fetch(url(path), {
      method,
      credentials: 'same-origin',
      signal: signal ?? null,
      ...(isLast ? { keepalive: true } : {}),
      ...(json === undefined ? {} : { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(json) }),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, 'UNAVAILABLE', String(error));
  }
  if (answer.status === 204) return undefined as T;
  if (answer.ok) return (await answer.json()) as T;
  if (answer.status === 401 && path !== '/auth/login') loggedOut();
  throw await failure(answer);
}

export const get = <T>(path: string, query?: URLSearchParams, signal?: AbortSignal): Promise<T> =>
  call<T>(`${path}${query?.size ? `?${readable(query)}` : ''}`, { signal });
