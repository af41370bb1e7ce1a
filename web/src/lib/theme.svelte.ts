// Light, dark, high contrast, or as the system says; remembered by the browser.
export const themes = ['auto', 'light', 'dark', 'contrast'] as const;
export type Theme = (typeof themes)[number];

const isTheme = (text: string | null): text is Theme => themes.some((theme) => theme === text);
const stored = localStorage.getItem('theme');

class Appearance {
  theme = $state<Theme>(isTheme(stored) ? stored : 'auto');
}
export const appearance = new Appearance();

// Canvas and WebGL drawings read colours when they draw: they draw again when this changes.
export function applyTheme(theme: Theme = appearance.theme): void {
  appearance.theme = theme;
  localStorage.setItem('theme', theme);
  document.documentElement.dataset['theme'] = theme;
}
