// The address, as state. Links are plain <a href>: follow() turns a click on one of our own into a
// change of the address without loading the page again.

class Route {
  path = $state(location.pathname);
  search = $state(location.search);
  query = $derived(new URLSearchParams(this.search));

  read(): void {
    this.path = location.pathname;
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
export const addressOf = (query: URLSearchParams, path = location.pathname): string =>
  query.size ? `${path}?${readable(query)}` : path;

// Commas separate values here and need no escape in a query.
export const readable = (query: URLSearchParams): string => query.toString().replaceAll('%2C', ',');

function follow(event: MouseEvent): void {
  if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
  if (link.pathname.startsWith('/api/') || link.hash) return;
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
