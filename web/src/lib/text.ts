import { en, type MessageKey } from '../messages/en';

// The catalogue's text with its {gaps} filled.
export function t(key: MessageKey, values: Record<string, string | number> = {}): string {
  return en[key].replace(/\{(\w+)\}/g, (gap, name: string) => String(values[name] ?? gap));
}

export const percent = (share: number): string =>
  new Intl.NumberFormat(undefined, { style: 'percent', maximumFractionDigits: 0 }).format(share);

// 1:02:03 or 4:05.
export function clock(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  const parts = [Math.floor(s / 60) % 60, s % 60].map((n) => String(n).padStart(2, '0'));
  const hours = Math.floor(s / 3600);
  return hours ? `${hours}:${parts.join(':')}` : `${Number(parts[0])}:${parts[1]}`;
}
