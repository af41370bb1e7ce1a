// The path below which the page is shown (BASE_PATH), "" where that is the root. The server writes it
// into index.html; the icon's address tells it.
const icon = document.querySelector<HTMLLinkElement>('link[rel="icon"]')?.href ?? '/';

export const base = new URL('.', new URL(icon, location.href)).pathname.slice(0, -1);

// The address of one of the page's own paths, such as '/history'.
export const below = (path: string): string => base + path;
