import { ADMIN_PATH, type AdminDeps, admin } from "./admin.ts";
import { type ProxyDeps, proxy } from "./proxy.ts";
import type { Handler } from "./server.ts";

/** Handles every request of the gateway: its own operations below `/_evenkeel/`, and AWS's. */
export const gatewayHandler =
  (parts: AdminDeps & ProxyDeps): Handler =>
  (request, response) =>
    request.url?.startsWith(ADMIN_PATH) ? admin(request, response, parts) : proxy(request, response, parts);
