// SVG cuts no text: this does, with an ellipsis, to what fits. The whole text is in the mark's label.
const pen = document.createElement('canvas').getContext('2d');

export function fit(text: string, room: number): string {
  if (!pen) return text;
  const { fontFamily } = getComputedStyle(document.body);
  pen.font = `13px ${fontFamily}`;
  if (pen.measureText(text).width <= room) return text;
  let end = text.length;
  const cut = (): string => `${text.slice(0, end).trimEnd()}…`;
  while (end > 1 && pen.measureText(cut()).width > room) end--;
  return cut();
}
