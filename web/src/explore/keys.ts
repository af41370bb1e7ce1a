// The keyboard in a chart: one stop for Tab, arrows between the marks (elements with data-mark).

// What to add to the index of the mark that has the focus: the next to the right is `right` on, the
// next below is `down` on.
function step(key: string, down: number, right: number, at: number, count: number): number | null {
  switch (key) {
    case 'ArrowRight': return right;
    case 'ArrowLeft': return -right;
    case 'ArrowDown': return down;
    case 'ArrowUp': return -down;
    case 'Home': return -at;
    case 'End': return count - 1 - at;
    default: return null;
  }
}

export function moveFocus(event: KeyboardEvent, down: number, right = 1): void {
  const marks = [...(event.currentTarget as Element).querySelectorAll<SVGElement>('[data-mark]')];
  const at = marks.indexOf(document.activeElement as SVGElement);
  const by = step(event.key, down, right, at, marks.length);
  if (at < 0 || by === null) return;
  event.preventDefault();
  marks[Math.min(Math.max(at + by, 0), marks.length - 1)]?.focus();
}

// Enter and space do what a click does.
export function onEnter(event: KeyboardEvent, act: () => void): void {
  if (event.key !== 'Enter' && event.key !== ' ') return;
  event.preventDefault();
  act();
}
