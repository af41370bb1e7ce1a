// A chart as a file: its SVG with the page's styles written into it, and the same drawn as PNG.

const written = [
  'fill', 'stroke', 'stroke-width', 'stroke-dasharray', 'opacity', 'fill-opacity', 'font-family', 'font-size',
  'font-weight', 'text-anchor',
] as const;
const title = 26;
const edge = 16;

function withStyles(svg: SVGSVGElement): SVGSVGElement {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  const copies = [...copy.querySelectorAll('*')];
  [...svg.querySelectorAll('*')].forEach((from, i) => {
    const style = getComputedStyle(from);
    const to = copies[i];
    for (const name of written) {
      // Fills by pattern keep their own reference: the computed one may hold the page's address.
      if (name === 'fill' && from.getAttribute('fill')?.startsWith('url(')) continue;
      to?.setAttribute(name, style.getPropertyValue(name));
    }
    to?.removeAttribute('class');
  });
  return copy;
}

function node(name: string, attributes: Record<string, string | number>): SVGElement {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

// The drawing with its title above it, on the card's colour.
export function drawing(svg: SVGSVGElement, text: string): { source: string; width: number; height: number } {
  const style = getComputedStyle(document.documentElement);
  const width = svg.clientWidth + 2 * edge;
  const height = svg.clientHeight + 2 * edge + title;
  const all = node('svg', { xmlns: 'http://www.w3.org/2000/svg', width, height, viewBox: `0 0 ${width} ${height}` });
  all.append(node('rect', { width, height, fill: style.getPropertyValue('--card') }));
  const heading = node('text', {
    x: edge, y: edge + 14, fill: style.getPropertyValue('--text'), 'font-size': 16, 'font-weight': 600,
    'font-family': style.getPropertyValue('--font'),
  });
  heading.textContent = text;
  const body = withStyles(svg);
  body.setAttribute('x', String(edge));
  body.setAttribute('y', String(edge + title));
  all.append(heading, body);
  return { source: new XMLSerializer().serializeToString(all), width, height };
}

export function save(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export function saveSvg(svg: SVGSVGElement, text: string, name: string): void {
  save(new Blob([drawing(svg, text).source], { type: 'image/svg+xml' }), `${name}.svg`);
}

export async function savePng(svg: SVGSVGElement, text: string, name: string): Promise<void> {
  const { source, width, height } = drawing(svg, text);
  const address = URL.createObjectURL(new Blob([source], { type: 'image/svg+xml' }));
  try {
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = document.createElement('canvas');
    canvas.width = width * 2;
    canvas.height = height * 2;
    canvas.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'));
    if (!blob) throw new Error('PNG');
    save(blob, `${name}.png`);
  } finally {
    URL.revokeObjectURL(address);
  }
}
