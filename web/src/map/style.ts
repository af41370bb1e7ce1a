// The map's style: its sources and layers, in the page's colours. No tiles, no sprite, no glyph
// address: text is drawn from the page's own fonts, so nothing is asked of any host.
import type { FeatureCollection } from 'geojson';
import type { ExpressionSpecification, LayerSpecification, Map, StyleSpecification } from 'maplibre-gl';
import type { Size } from './data';
import type { Look } from './look';
import { graticule, type World } from './world';

const empty: FeatureCollection = { type: 'FeatureCollection', features: [] };
// The page's typeface, which MapView has loaded before the first text is drawn.
const font = ['Figtree Variable'];
const nameSize = 12.5;
const css = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const text = (color: string, halo: string) => ({ 'text-color': color, 'text-halo-color': halo, 'text-halo-width': 1.4 });
// `most` is the largest place's amount, so that circles fill their range whatever the filter leaves.
// Areas, not radii, stand for amounts; a cluster may be half as large again.
export const radius = (size: Size, most: number, more = 0): ExpressionSpecification =>
  ['+', 4 + more, ['*', 22, ['sqrt', ['min', 2, ['/', ['get', size], Math.max(most, 1)]]]]];
export const weight = (size: Size, most: number): ExpressionSpecification =>
  ['max', 0.08, ['sqrt', ['min', 1, ['/', ['get', size], Math.max(most, 1)]]]];

function baseLayers(): LayerSpecification[] {
  const land = css('--map-land');
  return [
    { id: 'sea', type: 'background', paint: { 'background-color': css('--map-sea') } },
    { id: 'graticule', type: 'line', source: 'graticule', paint: { 'line-color': css('--map-line'), 'line-opacity': 0.4, 'line-width': 0.6 } },
    // Neighbours are filled apart: the outline in the fill's colour closes the seam between them.
    { id: 'land', type: 'fill', source: 'land', paint: { 'fill-color': land, 'fill-outline-color': land } },
    { id: 'borders', type: 'line', source: 'borders', paint: { 'line-color': css('--map-line'), 'line-width': ['interpolate', ['linear'], ['zoom'], 0, 0.5, 6, 1.4] } },
    { id: 'coast', type: 'line', source: 'coast', paint: { 'line-color': css('--map-coast'), 'line-width': ['interpolate', ['linear'], ['zoom'], 0, 0.6, 6, 1.6] } },
  ];
}

function heatLayer(): LayerSpecification {
  return {
    id: 'heat',
    type: 'heatmap',
    source: 'all',
    paint: {
      'heatmap-radius': ['interpolate', ['linear'], ['zoom'], 0, 22, 3, 42, 8, 70],
      'heatmap-intensity': ['interpolate', ['linear'], ['zoom'], 0, 1.6, 6, 2.2],
      'heatmap-opacity': 0.9,
      'heatmap-color': [
        'interpolate', ['linear'], ['heatmap-density'],
        0, 'rgba(0,0,0,0)', 0.15, css('--heat-1'), 0.4, css('--heat-2'), 0.7, css('--heat-3'), 1, css('--heat-4'),
      ],
    },
  };
}

function arcLayer(): LayerSpecification {
  return {
    id: 'arcs',
    type: 'line',
    source: 'arcs',
    layout: { 'line-cap': 'round' },
    paint: {
      'line-color': css('--map-arc'),
      'line-opacity': 0.6,
      'line-width': ['+', 0.8, ['*', 2.6, ['sqrt', ['get', 'share']]]],
    },
  };
}

function placeLayers(): LayerSpecification[] {
  const isCluster: ExpressionSpecification = ['has', 'point_count'];
  return [
    {
      id: 'places', type: 'circle', source: 'places',
      paint: {
        'circle-color': css('--map-place'),
        'circle-opacity': 0.9,
        'circle-stroke-color': css('--map-ring'),
        'circle-stroke-width': 1.5,
      },
    },
    {
      id: 'chosen', type: 'circle', source: 'all', filter: ['==', ['get', 'place_id'], -1],
      paint: {
        'circle-color': 'rgba(0,0,0,0)', 'circle-stroke-color': css('--map-server'), 'circle-stroke-width': 3,
      },
    },
    {
      id: 'counts', type: 'symbol', source: 'places', filter: isCluster,
      layout: { 'text-field': ['to-string', ['get', 'point_count']], 'text-font': font, 'text-size': 13, 'text-allow-overlap': true },
      paint: { 'text-color': css('--map-count'), 'text-halo-color': css('--map-count'), 'text-halo-width': 0.4 },
    },
    {
      id: 'names', type: 'symbol', source: 'places', filter: ['!', isCluster], minzoom: 2,
      layout: {
        'text-field': ['get', 'name'], 'text-font': font, 'text-size': nameSize,
        'text-variable-anchor': ['left', 'right', 'top', 'bottom'], 'text-optional': true,
      },
      paint: text(css('--text'), css('--map-land')),
    },
    {
      id: 'servers', type: 'symbol', source: 'servers',
      layout: {
        'icon-image': 'server', 'icon-anchor': 'bottom', 'icon-allow-overlap': true, 'icon-ignore-placement': true,
      },
    },
    {
      id: 'server-names', type: 'symbol', source: 'servers', minzoom: 3.5,
      layout: {
        'text-field': ['get', 'name'], 'text-font': font, 'text-size': 12.5, 'text-anchor': 'left', 'text-offset': [1.1, -1.1],
      },
      paint: text(css('--text'), css('--map-land')),
    },
  ];
}

// Without places: those come with apply().
export function styleOf(world: World, isGlobe: boolean): StyleSpecification {
  const cluster = { plays: ['+', ['get', 'plays']], watch_ms: ['+', ['get', 'watch_ms']] };
  return {
    version: 8,
    projection: { type: isGlobe ? 'globe' : 'mercator' },
    // The light stands behind the globe: a rim, and no night that would look like a finding.
    sky: { 'atmosphere-blend': Number(css('--map-air')) },
    light: { anchor: 'viewport', position: [1.5, 0, 0] },
    sources: {
      graticule: { type: 'geojson', data: graticule() },
      land: { type: 'geojson', data: world.land },
      borders: { type: 'geojson', data: world.borders },
      coast: { type: 'geojson', data: world.coast },
      all: { type: 'geojson', data: empty },
      places: { type: 'geojson', data: empty, cluster: true, clusterRadius: 38, clusterMaxZoom: 9, clusterProperties: cluster },
      arcs: { type: 'geojson', data: empty },
      servers: { type: 'geojson', data: empty },
    },
    layers: [...baseLayers(), heatLayer(), arcLayer(), ...placeLayers()],
  };
}

const shown = (isShown: boolean): 'visible' | 'none' => (isShown ? 'visible' : 'none');

// Brings a loaded style to how the map is to be shown.
export function apply(map: Map, look: Look, most: number, chosen: number | null): void {
  map.setProjection({ type: look.isGlobe ? 'globe' : 'mercator' });
  map.setPaintProperty('places', 'circle-radius', radius(look.size, most));
  // Names stand clear of their circles.
  map.setLayoutProperty('names', 'text-radial-offset', ['/', radius(look.size, most, 5), nameSize]);
  map.setPaintProperty('chosen', 'circle-radius', radius(look.size, most, 5));
  map.setPaintProperty('heat', 'heatmap-weight', weight(look.size, most));
  map.setFilter('chosen', ['==', ['get', 'place_id'], chosen ?? -1]);
  for (const id of ['places', 'counts', 'names']) map.setLayoutProperty(id, 'visibility', shown(!look.isHeat));
  map.setLayoutProperty('heat', 'visibility', shown(look.isHeat));
  map.setLayoutProperty('arcs', 'visibility', shown(look.hasArcs && !look.isHeat));
}

// A server's mark, drawn here because there is no sprite: a pin whose point is the place, at twice
// its size.
export function serverMark(): ImageData {
  const [width, height] = [48, 60];
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  if (!pen) throw new Error('2d');
  const pin = new Path2D('M24 57C20 50 5 36 5 22a19 19 0 0 1 38 0c0 14-15 28-19 35z');
  pen.lineJoin = 'round';
  pen.lineWidth = 5;
  pen.strokeStyle = css('--map-ring');
  pen.stroke(pin);
  pen.fillStyle = css('--map-server');
  pen.fill(pin);
  // A house: where the streams come from.
  pen.fillStyle = css('--map-ring');
  pen.fill(new Path2D('M24 10 36 21h-3v11h-6v-7h-6v7h-6V21h-3z'));
  return pen.getImageData(0, 0, width, height);
}
