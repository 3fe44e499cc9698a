/** WCAG contrast of every piece of text on a page against its background. */
import type { Page } from "playwright-core";

export interface Contrast {
  readonly text: string;
  readonly ratio: number;
  /** From 24 px, or 18.66 px in bold: 3:1 is enough. */
  readonly large: boolean;
}

export const contrasts = (page: Page): Promise<Contrast[]> => page.evaluate(measure);

/** Runs in the page, so everything it needs is inside. */
function measure(): Contrast[] {
  const channels = (colour: string): number[] => (colour.match(/[\d.]+/g) ?? []).map(Number);
  const luminance = (colour: number[]) => {
    const [r = 0, g = 0, b = 0] = colour.slice(0, 3).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (start: Element): number[] => {
    for (let element: Element | null = start; element !== null; element = element.parentElement) {
      const colour = channels(getComputedStyle(element).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found: Contrast[] = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent?.trim() ?? "";
    if (
      element === null ||
      text === "" ||
      element.closest("script, style, noscript, .skip, .unseen") ||
      !element.checkVisibility()
    )
      continue;
    const style = getComputedStyle(element);
    const [light = 0, dark = 0] = [luminance(channels(style.color)), luminance(ground(element))].sort(
      (a, b) => b - a,
    );
    const size = Number.parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    found.push({ text, ratio: (light + 0.05) / (dark + 0.05), large });
  }
  return found;
}
