import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';
import browsers from './browsers.json' with { type: 'json' };
import { licenses } from './licenses.js';
import { olderCss } from './older_css.ts';

// The oldest that the page is for. Syntax and CSS are brought down to them; what they lack else stands in
// src/old, and tests/browser/targets.test.mjs finds what is missing there.
const target = Object.entries(browsers).map(([name, version]) => `${name}${version}`);

export default defineConfig({
  plugins: [svelte(), licenses()],
  // Chunks find each other by relative addresses; what index.html names, the server puts below BASE_PATH.
  base: './',
  css: { postcss: { plugins: [olderCss] } },
  // The map's library is the one large chunk; only the map fetches it.
  build: { target, cssTarget: target, assetsInlineLimit: 0, modulePreload: { polyfill: false }, chunkSizeWarningLimit: 1200 },
  server: { fs: { allow: ['..'] }, proxy: { '/api': { target: 'http://localhost:3857', ws: true } } },
});
