import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';
import { licenses } from './licenses.js';

export default defineConfig({
  plugins: [svelte(), licenses()],
  // Chunks find each other by relative addresses; what index.html names, the server puts below BASE_PATH.
  base: './',
  // The map's library is the one large chunk; only the map fetches it.
  build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false }, chunkSizeWarningLimit: 1200 },
  server: { fs: { allow: ['..'] }, proxy: { '/api': { target: 'http://localhost:3857', ws: true } } },
});
