// The address, as state. Links are plain <a href>: follow() turns a click on one of our own into a
// change of the address without loading the page again. A path is one of the page; an address is
// what the browser shows, with the base before it.
import { base, below } from './base';

const isOurs = (pathname: string): boolean => pathname === base || pathname.startsWith(`${base}/`);
const ownPath = (): string => location.pathname.slice(base.length) || '/';
// A proxy's base is where the page is, also when somebody comes to the program past the proxy.
if (!isOurs(location.pathname)) location.replace(below('/'));

class Route {
  path = $state(ownPath());
  search = $state(location.search);
  query = $derived(new URLSearchParams(this.search));

  read(): void {
    this.path = ownPath();
    this.search = location.search;
  }
}
export const route = new Route();

export function go(href: string, how: 'push' | 'replace' = 'push'): void {
  const next = new URL(href, location.href);
  if (next.href === location.href) return;
  if (how === 'push') history.pushState(null, '', next);
  else history.replaceState(null, '', next);
  route.read();
}

// The same place with another query.
export const addressOf = (query: URLSearchParams, path = route.path): string =>
  query.size ? `${below(path)}?${readable(query)}` : below(path);

// Commas separate values here and need no escape in a query.
export const readable = (query: URLSearchParams): string => query.toString().replaceAll('%2C', ',');

function follow(event: MouseEvent): void {
  if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
  if (!isOurs(link.pathname) || link.pathname.startsWith(below('/api/')) || link.hash) return;
  event.preventDefault();
  go(link.href);
}

// Returns what ends it.
export function startRouting(): () => void {
  const read = (): void => route.read();
  document.addEventListener('click', follow);
  window.addEventListener('popstate', read);
  return () => {
    document.removeEventListener('click', follow);
    window.removeEventListener('popstate', read);
  };
}
