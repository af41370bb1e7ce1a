// The places of the page, one row each: its address, its name (messages/places.ts), how its code is
// loaded, and where its link stands. A place is lazily loaded: a row costs the others nothing.
import type { Component } from 'svelte';
import type { places as names } from '../messages/places';
import type { IconName } from './Icon.svelte';

export interface Place {
  path: string;
  name: keyof typeof names;
  icon: IconName;
  load: () => Promise<{ default: Component }>;
  // bar: in the header (and at the bottom of a phone); settings: in the list beside each of these.
  link: 'bar' | 'settings';
  // The place has the filter bar: links to it keep the filter of the place before.
  isFiltered: boolean;
  isForAdmin: boolean;
  // It has a page each number, too: /people/1.
  hasPages?: boolean;
}

export const places: readonly Place[] = [
  {
    path: '/', name: 'place.now', icon: 'now', link: 'bar', isFiltered: false, isForAdmin: false,
    load: () => import('../places/Now.svelte'),
  },
  {
    path: '/history', name: 'place.history', icon: 'history', link: 'bar', isFiltered: true, isForAdmin: false,
    load: () => import('../places/History.svelte'),
  },
  {
    path: '/map', name: 'place.map', icon: 'map', link: 'bar', isFiltered: true, isForAdmin: false,
    load: () => import('../places/Map.svelte'),
  },
  {
    path: '/explore', name: 'place.explore', icon: 'explore', link: 'bar', isFiltered: true, isForAdmin: false,
    load: () => import('../places/Explore.svelte'),
  },
  {
    path: '/people', name: 'place.people', icon: 'person', link: 'bar', isFiltered: false, isForAdmin: true, hasPages: true,
    load: () => import('../places/People.svelte'),
  },
  {
    path: '/settings/servers', name: 'place.servers', icon: 'server', link: 'settings', isFiltered: false, isForAdmin: true,
    load: () => import('../places/Servers.svelte'),
  },
  {
    path: '/settings/import', name: 'place.import', icon: 'import', link: 'settings', isFiltered: false, isForAdmin: true,
    load: () => import('../places/Import.svelte'),
  },
  {
    path: '/settings/users', name: 'place.users', icon: 'person', link: 'settings', isFiltered: false, isForAdmin: true,
    load: () => import('../places/Users.svelte'),
  },
  {
    path: '/settings/backups', name: 'place.backups', icon: 'box', link: 'settings', isFiltered: false, isForAdmin: true,
    load: () => import('../places/Backups.svelte'),
  },
  {
    path: '/settings/tokens', name: 'place.tokens', icon: 'lock', link: 'settings', isFiltered: false, isForAdmin: false,
    load: () => import('../places/Tokens.svelte'),
  },
  {
    path: '/settings/api', name: 'place.api', icon: 'code', link: 'settings', isFiltered: false, isForAdmin: false,
    load: () => import('../places/Api.svelte'),
  },
  {
    path: '/settings/audit', name: 'place.audit', icon: 'table', link: 'settings', isFiltered: false, isForAdmin: true,
    load: () => import('../places/Audit.svelte'),
  },
  {
    path: '/settings/about', name: 'place.about', icon: 'info', link: 'settings', isFiltered: false, isForAdmin: true,
    load: () => import('../places/About.svelte'),
  },
];

export function placeAt(path: string): Place | undefined {
  const trimmed = path.replace(/(.)\/+$/, '$1');
  const list = trimmed.replace(/\/\d+$/, '');
  return places.find((place) => place.path === trimmed || (place.hasPages && place.path === list));
}
