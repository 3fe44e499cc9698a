import { ADMIN_PATH, type AdminDeps, admin } from "./admin.ts";
import { type ProxyDeps, proxy } from "./proxy.ts";
import type { Handler } from "./server.ts";

/** Everything that the gateway answers: its own operations below `/_evenkeel/`, AWS's elsewhere. */
export const gatewayHandler =
  (parts: AdminDeps & ProxyDeps): Handler =>
  (request, response) =>
    request.url?.startsWith(ADMIN_PATH) ? admin(request, response, parts) : proxy(request, response, parts);
