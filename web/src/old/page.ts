// What browsers have got since the oldest ones that the page is for, besides the language itself. Loaded by
// those only that lack something (main.ts).
import './builtins';
import { addDialogs } from './dialog';
import './old.css';

if (!('size' in URLSearchParams.prototype))
  Object.defineProperty(URLSearchParams.prototype, 'size', {
    configurable: true,
    get(this: URLSearchParams): number { return [...this.keys()].length; },
  });
addDialogs();
