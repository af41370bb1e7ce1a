// One route of the API, by the name that it has in the description: what it takes and what it answers are
// typed by api.gen.ts, so that a change of the API that the page does not know of does not build.
import type { paths } from './api.gen';
import { call } from './call';
import { readable } from './route.svelte';

type Verb = 'get' | 'post' | 'put' | 'patch' | 'delete';
// 'GET /plays/{id}' and so on.
type Route = {
  [P in keyof paths]: { [V in Verb]: paths[P] extends Record<V, object> ? `${Uppercase<V>} ${P}` : never }[Verb];
}[keyof paths];
type At<P, V> = P extends keyof paths ? (V extends keyof paths[P] ? paths[P][V] : never) : never;
type Operation<R extends Route> = R extends `${infer V} ${infer P}` ? At<P, Lowercase<V>> : never;

type Answers<A> = { [S in keyof A & (200 | 201 | 202)]: A[S] extends { content: { 'application/json': infer T } } ? T : never }[keyof A & (200 | 201 | 202)];
type OrNothing<T> = [T] extends [never] ? void : T;
export type Reply<R extends Route> = OrNothing<Operation<R> extends { responses: infer A } ? Answers<A> : never>;

type PathOf<O> = O extends { parameters: { path: infer P } } ? { path: P } : { path?: never };
type QueryOf<O> = O extends { parameters: { query?: infer Q } } ? { query?: URLSearchParams | (Q & object) | undefined } : { query?: never };
type BodyOf<O> = O extends { requestBody: { content: { 'application/json': infer B } } } ? { json: B } : { json?: never };
type Given<R extends Route> = PathOf<Operation<R>> & QueryOf<Operation<R>> & BodyOf<Operation<R>> & {
  signal?: AbortSignal | undefined;
  isLast?: boolean; // to be sent even if the page goes away
};
// What the route takes of a body.
export type Body<R extends Route> = Given<R>['json'];

interface Sent { path?: Record<string, string | number>; query?: Record<string, string>; json?: unknown; signal?: AbortSignal; isLast?: boolean }

function send(route: string, { path = {}, query, json, signal, isLast = false }: Sent = {}): Promise<unknown> {
  const [method, pattern = ''] = route.split(' ') as [Uppercase<Verb>, string];
  const address = pattern.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(path[name])));
  const search = new URLSearchParams(query);
  return call(`${address}${search.size ? `?${readable(search)}` : ''}`, { method, json, signal, isLast });
}

export const ask = send as unknown as <R extends Route>(
  route: R, ...given: Record<never, never> extends Given<R> ? [Given<R>?] : [Given<R>]
) => Promise<Reply<R>>;
