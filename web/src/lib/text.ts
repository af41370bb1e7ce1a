// Messages: each place has a catalogue of its own (messages/NAME.ts), which only its code loads.
//   const t = texts(shared, history);   t('history.total', { n })
// {name} is replaced by what t() is given, numbers in the reader's own form. A message with
// { one, other } is chosen by the number {n}.

export type Message = string | { readonly one: string; readonly other: string };
export type Catalogue = Readonly<Record<string, Message>>;
export type Values = Readonly<Record<string, string | number>>;

const numbers = new Intl.NumberFormat();
const plurals = new Intl.PluralRules();

function fill(message: Message, values: Values): string {
  const text =
    typeof message === 'string'
      ? message
      : plurals.select(Number(values['n'])) === 'one' ? message.one : message.other;
  return text.replace(/\{(\w+)\}/g, (gap, name: string) => {
    const value = values[name];
    return value === undefined ? gap : typeof value === 'number' ? numbers.format(value) : value;
  });
}

export type Text<Key> = (key: Key, values?: Values) => string;

export function texts<A extends Catalogue>(a: A): Text<keyof A>;
export function texts<A extends Catalogue, B extends Catalogue>(a: A, b: B): Text<keyof A | keyof B>;
export function texts(...catalogues: Catalogue[]): Text<string> {
  const all = Object.assign({}, ...catalogues) as Catalogue;
  return (key, values = {}) => fill(all[key] ?? key, values);
}
