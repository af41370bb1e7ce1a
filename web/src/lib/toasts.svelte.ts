// Short news at the edge of the page, with at most one thing to do about it. One that offers
// something stays until it is dismissed or replaced; a plain one goes by itself.
const PLAIN_MS = 6000;

export interface Toast {
  text: string;
  action?: { label: string; run: () => void | Promise<void> };
}

class Toasts {
  now = $state.raw<Toast | null>(null);
  #timer: ReturnType<typeof setTimeout> | undefined;

  show(toast: Toast): void {
    clearTimeout(this.#timer);
    this.now = toast;
    if (!toast.action) this.#timer = setTimeout(() => this.hide(), PLAIN_MS);
  }

  hide(): void {
    clearTimeout(this.#timer);
    this.now = null;
  }
}
export const toasts = new Toasts();
