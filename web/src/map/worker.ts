// MapLibre's worker is a script of its own, where the page's old/ does not reach.
import '../old/builtins';
import 'maplibre-gl/dist/maplibre-gl-csp-worker.js';
