/** Finds an element that the page must contain. */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
}

/** The current value of a theme colour or size (light or dark). */
export const theme = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();
