// <dialog> where the browser does not know it (Firefox before 98, Safari before 15.4): an element like any
// other there, which gets show, close, a backdrop, Escape and the focus kept in.
const focusable = 'a[href], button:not([disabled]), input:not([disabled]), select, textarea, [tabindex]:not([tabindex="-1"])';

interface Shown { backdrop: HTMLElement; before: Element | null; keys: (event: KeyboardEvent) => void }
const shown = new Map<HTMLElement, Shown>();

function keepFocus(dialog: HTMLElement, event: KeyboardEvent): void {
  const all = [...dialog.querySelectorAll<HTMLElement>(focusable)].filter((one) => one.offsetParent !== null);
  const [first, last] = [all[0], all[all.length - 1]];
  if (!first || !last) return;
  const is = document.activeElement;
  const isOutside = !is || !dialog.contains(is);
  const next = event.shiftKey ? (isOutside || is === first ? last : null) : isOutside || is === last ? first : null;
  if (!next) return;
  event.preventDefault();
  next.focus();
}

function showModal(this: HTMLElement): void {
  if (shown.has(this)) return;
  const backdrop = document.createElement('div');
  backdrop.className = 'old-backdrop';
  // A click beside a dialog is one on the dialog itself.
  backdrop.addEventListener('click', () => this.dispatchEvent(new MouseEvent('click', { bubbles: true })));
  const keys = (event: KeyboardEvent): void => {
    if ([...shown.keys()].pop() !== this) return;
    if (event.key === 'Tab') keepFocus(this, event);
    if (event.key !== 'Escape') return;
    event.preventDefault();
    if (this.dispatchEvent(new Event('cancel', { cancelable: true }))) close.call(this);
  };
  shown.set(this, { backdrop, before: document.activeElement, keys });
  document.addEventListener('keydown', keys);
  this.before(backdrop);
  this.setAttribute('open', '');
  this.setAttribute('role', 'dialog');
  this.setAttribute('aria-modal', 'true');
  (this.querySelector<HTMLElement>('[autofocus]') ?? this.querySelector<HTMLElement>(focusable))?.focus();
}

function close(this: HTMLElement): void { // also by a form whose method is dialog
  const was = shown.get(this);
  this.removeAttribute('open');
  if (!was) return;
  shown.delete(this);
  document.removeEventListener('keydown', was.keys);
  was.backdrop.remove();
  if (was.before instanceof HTMLElement) was.before.focus();
  this.dispatchEvent(new Event('close'));
}

// Taken out of the page while it is open: its backdrop and its keys go, too.
function watchRemoval(): void {
  new MutationObserver(() => {
    for (const dialog of [...shown.keys()]) if (!dialog.isConnected) close.call(dialog);
  }).observe(document, { childList: true, subtree: true });
}

export function addDialogs(): void {
  const known = document.createElement('dialog');
  if ('showModal' in known) return;
  document.documentElement.classList.add('old-dialogs');
  const prototype = Object.getPrototypeOf(known) as object; // that of every element that is not known
  Object.defineProperties(prototype, {
    showModal: { value: showModal, configurable: true },
    close: { value: close, configurable: true },
    open: {
      configurable: true,
      get(this: HTMLElement): boolean { return this.hasAttribute('open'); },
      set(this: HTMLElement, is: boolean) { this.toggleAttribute('open', is); },
    },
  });
  watchRemoval();
  document.addEventListener('submit', (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || form.getAttribute('method') !== 'dialog') return;
    event.preventDefault();
    const dialog = form.closest<HTMLElement>('dialog');
    if (dialog) close.call(dialog);
  });
}
