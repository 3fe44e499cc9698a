/** An element the page is made with. */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
}

/** A colour or size of the theme, as it is now: light or dark. */
export const theme = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();
