// What the answers of locations and arcs become on the map and in the list.
import type { Feature, FeatureCollection, LineString, Point } from 'geojson';
import { cityName } from '../lib/names';
import type { ArcsRow, LocationsRow } from '../lib/queries.gen';
import { texts } from '../lib/text';
import { map } from '../messages/map';
import { greatCircle, unwrap } from './arcs';

const t = texts(map);

export const isOnMap = (row: LocationsRow): row is LocationsRow & { latitude: number; longitude: number } =>
  row.latitude !== null && row.longitude !== null;

export function nameOf(row: LocationsRow): string {
  const name = cityName(row.city, row.country_code, row.country);
  if (name === null) return t('unknown_place');
  return row.city ? name : t('unknown_city', { country: name });
}

// Why a row has no place: the kind of address.
export function classOf(row: LocationsRow): string {
  switch (row.class) {
    case null: case 'unknown': return t('class.unknown');
    case 'public': return t('class.public');
    case 'tailscale': return t('class.tailscale');
    case 'relay': return t('class.relay');
    case 'cgnat': return t('class.cgnat');
    default: return t('class.lan');
  }
}

export type Size = 'plays' | 'watch_ms';

// Clusters sum plays and watch_ms of their members.
export function pointsOf(rows: LocationsRow[]): FeatureCollection<Point> {
  return {
    type: 'FeatureCollection',
    features: rows.filter(isOnMap).map((row): Feature<Point> => ({
      type: 'Feature',
      id: row.place_id ?? 0,
      geometry: { type: 'Point', coordinates: [row.longitude, row.latitude] },
      properties: { place_id: row.place_id, name: row.city ?? nameOf(row), plays: row.plays, watch_ms: row.watch_ms },
    })),
  };
}

// `share` is the plays against the busiest line's.
export function linesOf(rows: ArcsRow[]): FeatureCollection<LineString> {
  const most = Math.max(1, ...rows.map((row) => row.plays));
  return {
    type: 'FeatureCollection',
    features: rows.map((row): Feature<LineString> => ({
      type: 'Feature',
      geometry: {
        type: 'LineString',
        coordinates: unwrap(greatCircle([row.longitude, row.latitude], [row.server_longitude, row.server_latitude])),
      },
      properties: { place_id: row.place_id, share: row.plays / most },
    })),
  };
}

export function serversOf(rows: ArcsRow[]): FeatureCollection<Point> {
  const at = new Map<string, { names: Set<string>; coordinates: [number, number] }>();
  for (const row of rows) {
    const key = `${row.server_longitude} ${row.server_latitude}`;
    const own = at.get(key) ?? { names: new Set<string>(), coordinates: [row.server_longitude, row.server_latitude] };
    if (row.server) own.names.add(row.server);
    at.set(key, own);
  }
  return {
    type: 'FeatureCollection',
    features: [...at.values()].map(({ names, coordinates }): Feature<Point> => ({
      type: 'Feature',
      geometry: { type: 'Point', coordinates },
      properties: { name: [...names].join(', ') },
    })),
  };
}
