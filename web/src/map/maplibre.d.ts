// The build of MapLibre for pages that allow no worker from a blob: the same exports, no types.
declare module 'maplibre-gl/dist/maplibre-gl-csp.js' {
  import * as all from 'maplibre-gl';
  const maplibre: typeof all;
  export default maplibre;
}
