/** HTML templates. Inserted values are escaped unless they are markup already. */
export interface Markup {
  readonly text: string;
}

type Part = string | number | Markup | readonly Markup[];

export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** Marks a text as markup, style or script, so that it is not escaped. */
export const raw = (text: string): Markup => ({ text });

export function html(literals: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  const texts = parts.map((part, i) => textOf(part) + (literals[i + 1] as string));
  return { text: (literals[0] as string) + texts.join("") };
}

function textOf(part: Part): string {
  if (typeof part === "string" || typeof part === "number") return escapeHtml(String(part));
  return "text" in part ? part.text : part.map(({ text }) => text).join("");
}

/** JSON for a script element. It cannot contain `</script>` or the start of an HTML comment. */
export const scriptJson = (value: unknown): string => JSON.stringify(value).replaceAll("<", "\\u003c");
