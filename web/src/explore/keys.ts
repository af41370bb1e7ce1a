// The keyboard in a chart: one stop for Tab, arrows between the marks (elements with data-mark).

// What to add to the index of the mark that has the focus; `across` marks lie in one row.
function step(key: string, across: number, at: number, count: number): number | null {
  switch (key) {
    case 'ArrowRight': return 1;
    case 'ArrowLeft': return -1;
    case 'ArrowDown': return across;
    case 'ArrowUp': return -across;
    case 'Home': return -at;
    case 'End': return count - 1 - at;
    default: return null;
  }
}

export function moveFocus(event: KeyboardEvent, across: number): void {
  const marks = [...(event.currentTarget as Element).querySelectorAll<SVGElement>('[data-mark]')];
  const at = marks.indexOf(document.activeElement as SVGElement);
  const by = step(event.key, across, at, marks.length);
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
