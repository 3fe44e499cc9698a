/** The buttons. Requests carry this run's token; the answer is shown beside the buttons. */
import type { DashboardWorker } from "../dashboard-state.ts";
import { byId } from "./elements.ts";

/** Undefined: this page has no buttons. */
export function controls(
  token: () => string,
): { offer(workers: readonly DashboardWorker[]): void } | undefined {
  const forms = [...document.querySelectorAll<HTMLFormElement>("form[data-order]")];
  if (forms.length === 0) return undefined;
  const outcome = byId("outcome");
  const choice = byId("worker") as HTMLSelectElement;
  const dialog = byId("confirm") as HTMLDialogElement;

  for (const form of forms) {
    const kind = form.dataset.order ?? "";
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (kind === "kill" && !(await confirmed())) return;
      const button = form.querySelector("button");
      // Not disabled: a disabled button would lose the focus.
      if (button?.getAttribute("aria-busy") === "true") return;
      button?.setAttribute("aria-busy", "true");
      tell(`${kind}: asked …`);
      tell(...(await send(kind, bodyOf(form))));
      button?.removeAttribute("aria-busy");
    });
  }

  function tell(text: string, good = true): void {
    outcome.textContent = text;
    outcome.className = good ? "" : "wrong";
  }

  async function send(kind: string, body: object): Promise<[text: string, good: boolean]> {
    try {
      const answer = await fetch(`/orders/${kind}`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-evenkeel-token": token() },
        body: JSON.stringify(body),
      });
      const { text, error } = (await answer.json()) as { text?: string; error?: string };
      return answer.ok ? [`${kind}: ${text}`, true] : [`${kind} did not work: ${error}`, false];
    } catch {
      return [`${kind}: this page's server does not answer`, false];
    }
  }

  function confirmed(): Promise<boolean> {
    if (choice.value === "") return Promise.resolve(false);
    byId("victim").textContent = choice.selectedOptions[0]?.textContent ?? choice.value;
    dialog.returnValue = "cancel";
    dialog.showModal();
    return new Promise((resolve) => {
      dialog.addEventListener("close", () => resolve(dialog.returnValue === "kill"), { once: true });
    });
  }

  return {
    offer(workers) {
      const alive = workers.filter(
        ({ state }) => state === "active" || state === "joining" || state === "leaving",
      );
      const known = [...choice.options].map(({ value }) => value).join("\n");
      if (known === alive.map(({ id }) => id).join("\n")) return;
      const chosen = choice.value;
      choice.replaceChildren(
        ...alive.map(({ id, name }) => new Option(name === id ? id : `${name} (${id})`, id)),
      );
      if (alive.some(({ id }) => id === chosen)) choice.value = chosen;
    },
  };
}

/** The form's single field; a number field gives a number. */
function bodyOf(form: HTMLFormElement): object {
  const field = form.querySelector<HTMLInputElement | HTMLSelectElement>("input, select");
  if (field === null) return {};
  return { [field.name]: field.type === "number" ? Number(field.value) : field.value };
}
