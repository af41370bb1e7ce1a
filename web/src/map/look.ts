// How the map is shown is part of the address, like the filter, but no part of what the server is
// asked.
import type { Size } from './data';

export interface Look {
  isGlobe: boolean;
  isHeat: boolean;
  hasArcs: boolean;
  size: Size;
}

export const lookOf = (query: URLSearchParams): Look => ({
  isGlobe: query.get('view') === 'globe',
  isHeat: query.get('layer') === 'heat',
  hasArcs: query.get('arcs') !== 'off',
  size: query.get('size') === 'watch_ms' ? 'watch_ms' : 'plays',
});

export function withLook(query: URLSearchParams, look: Look): URLSearchParams {
  const next = new URLSearchParams(query);
  const set = (name: string, value: string | null): void => (value ? next.set(name, value) : next.delete(name));
  set('view', look.isGlobe ? 'globe' : null);
  set('layer', look.isHeat ? 'heat' : null);
  set('arcs', look.hasArcs ? null : 'off');
  set('size', look.size === 'plays' ? null : look.size);
  return next;
}
