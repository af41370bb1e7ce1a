// The base map: Natural Earth's countries, bundled. TopoJSON stays what it is until here, because it
// is a third of the same as GeoJSON on the way to the browser.
import type { Feature, FeatureCollection, Geometry, MultiLineString, Position } from 'geojson';
import { feature, mesh } from 'topojson-client';
import type { GeometryCollection, Topology } from 'topojson-specification';
import { unwrap } from './arcs';
import address from 'world-atlas/countries-50m.json?url';

export interface World {
  land: FeatureCollection;
  borders: Feature<MultiLineString>;
  coast: Feature<MultiLineString>;
}

type Atlas = Topology<{ countries: GeometryCollection<{ name: string }> }>;

const line = (coordinates: Position[][]): Feature<MultiLineString> => ({
  type: 'Feature', properties: {}, geometry: { type: 'MultiLineString', coordinates },
});

// A ring that goes around the pole does not close when it is unwrapped: it is led along the edge of
// the flat map.
function ring(points: Position[]): Position[] {
  const open = unwrap(points);
  const [first, last] = [open[0], open.at(-1)];
  if (!first || !last || Math.abs(last[0]! - first[0]!) < 1) return open;
  return [...open, [last[0]!, -90], [first[0]!, -90], first];
}

function flat(geometry: Geometry): Geometry {
  switch (geometry.type) {
    case 'Polygon': return { ...geometry, coordinates: geometry.coordinates.map(ring) };
    case 'MultiPolygon': return { ...geometry, coordinates: geometry.coordinates.map((rings) => rings.map(ring)) };
    default: return geometry;
  }
}

export async function loadWorld(): Promise<World> {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
  const atlas = (await answer.json()) as Atlas;
  const { countries } = atlas.objects;
  const land = feature(atlas, countries);
  return {
    land: { ...land, features: land.features.map((one) => ({ ...one, geometry: flat(one.geometry) })) },
    borders: line(mesh(atlas, countries, (a, b) => a !== b).coordinates.map(unwrap)),
    coast: line(mesh(atlas, countries, (a, b) => a === b).coordinates.map(unwrap)),
  };
}

// Meridians and parallels, every 15 degrees.
export function graticule(): Feature<MultiLineString> {
  const span = (from: number, to: number, step: number): number[] =>
    Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, i) => from + i * step);
  return line([
    ...span(-180, 165, 15).map((x) => span(-80, 80, 4).map((y): Position => [x, y])),
    ...span(-75, 75, 15).map((y) => span(-180, 180, 4).map((x): Position => [x, y])),
  ]);
}
