/**
 * The stream of changes. Reconnects by itself, even after an error status or when the server stops sending.
 */
import type { DashboardChange, DashboardState } from "../dashboard-state.ts";

export interface Listener {
  onDashboard(message: {
    readonly dashboard: DashboardState;
    readonly token: string;
    readonly now: number;
  }): void;
  onChange(change: DashboardChange, now: number): void;
  onLost(): void;
}

const AGAIN_MILLIS = 1_000;
/** The server sends a heartbeat every 5 s. */
const SILENT_MILLIS = 15_000;

export function connect(listener: Listener): void {
  let heardAt = Date.now();
  const source = new EventSource("/events");
  const on = <T>(name: string, take: (message: T) => void) =>
    source.addEventListener(name, (event) => {
      heardAt = Date.now();
      take(JSON.parse((event as MessageEvent<string>).data) as T);
    });
  on<Parameters<Listener["onDashboard"]>[0]>("board", (message) => listener.onDashboard(message));
  on<{ change: DashboardChange; now: number }>("change", ({ change, now }) => listener.onChange(change, now));
  on("beat", () => undefined);
  const again = () => {
    clearInterval(watch);
    source.close();
    listener.onLost();
    setTimeout(() => connect(listener), AGAIN_MILLIS);
  };
  // Not left to the browser: it waits longer each time and stops retrying after an error status.
  source.addEventListener("error", again);
  const watch = setInterval(() => {
    if (Date.now() - heardAt > SILENT_MILLIS) again();
  }, AGAIN_MILLIS);
}
