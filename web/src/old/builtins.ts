// What the language has got since the oldest browsers that the page is for (web/browsers.json). Each is
// there only where the browser has none. tests/browser/targets.test.mjs knows what is here.
type Reader<T> = ArrayLike<T>;

function add(target: object, name: string, value: unknown): void {
  if (!(name in target)) Object.defineProperty(target, name, { value, writable: true, configurable: true });
}

function at<T>(this: Reader<T>, index: number): T | undefined {
  const whole = Math.trunc(index) || 0;
  return this[whole < 0 ? this.length + whole : whole];
}

const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object;
for (const target of [Array.prototype, String.prototype, typedArray]) add(target, 'at', at);

type Test<T> = (value: T, index: number, all: readonly T[]) => unknown;
function findLastIndex<T>(this: readonly T[], is: Test<T>): number {
  for (let i = this.length - 1; i >= 0; i--) if (is(this[i] as T, i, this)) return i;
  return -1;
}
for (const target of [Array.prototype, typedArray]) {
  add(target, 'findLastIndex', findLastIndex);
  add(target, 'findLast', function <T>(this: readonly T[], is: Test<T>): T | undefined {
    return this[findLastIndex.call(this as readonly unknown[], is as Test<unknown>)];
  });
}
add(Array.prototype, 'toSorted', function <T>(this: readonly T[], compare?: (a: T, b: T) => number): T[] {
  return [...this].sort(compare);
});
add(Array.prototype, 'toReversed', function <T>(this: readonly T[]): T[] {
  return [...this].reverse();
});
add(Array.prototype, 'toSpliced', function <T>(this: readonly T[], ...change: [number, number, ...T[]]): T[] {
  const copy = [...this];
  copy.splice(...change);
  return copy;
});
add(Object, 'hasOwn', (of: object, name: PropertyKey): boolean => Object.prototype.hasOwnProperty.call(of, name));
