import { mount } from 'svelte';
import App from './App.svelte';
import { applyTheme } from './lib/theme.svelte';
import './styles/tokens.css';
import './styles/base.css';

function start(): void {
  applyTheme();
  const target = document.getElementById('app');
  if (target) mount(App, { target });
}

// What has these lacks nothing of what old/ brings; no other browser loads it.
const isOld = !('toSpliced' in Array.prototype) || !('size' in URLSearchParams.prototype) || !('showModal' in document.createElement('dialog'));
if (isOld) void import('./old/page').then(start);
else start();
