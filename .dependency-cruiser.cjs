// The import arrows of DESIGN.md as a failing check: adapters → ports → core; engine → ports, core; core → core.
const arrow = (name, comment, from, to) => ({ name, comment, severity: "error", from, to });
const outsideServices = "^(infra|lab|local)/";
module.exports = {
  forbidden: [
    arrow("no-circular", "a cycle hides which way a decision flows", {}, { circular: true }),
    arrow(
      "core-is-pure",
      "core imports only core and the kernel (and node:crypto, for a digest)",
      { path: "^services/consumer/core/" },
      { pathNot: "^(services/(consumer/core|shared)/|(node:)?crypto$)" },
    ),
    arrow(
      "ports-see-core",
      "ports describe the outside in core's words",
      { path: "^services/consumer/ports/" },
      { pathNot: "^services/(consumer/(core|ports)|shared)/" },
    ),
    arrow(
      "engine-sees-ports",
      "the engine performs decisions through ports, never through an SDK",
      { path: "^services/consumer/engine/" },
      { pathNot: "^services/(consumer/(core|ports|engine)|shared)/" },
    ),
    arrow(
      "adapters-see-ports",
      "an adapter knows its port, not the engine",
      { path: "^services/consumer/adapters/" },
      { path: "^services/consumer/engine/" },
    ),
    arrow(
      "kernel-has-no-io",
      "services/shared knows no AWS and no I/O (platform.ts is the one door to the clock)",
      { path: "^services/shared/", pathNot: "^services/shared/platform\\.ts$" },
      { pathNot: "^services/shared/" },
    ),
    arrow(
      "rooms-use-the-front-door",
      "infra, lab and local use a service's index.ts and the kernel, never its insides",
      { path: outsideServices },
      { path: "^services/(consumer|producer|resharder)/", pathNot: "^services/[^/]+/index\\.ts$" },
    ),
    arrow(
      "no-orphan-tests-in-code",
      "code never imports tests",
      { path: "^(services|infra|lab|local)/" },
      { path: "^test/" },
    ),
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default", "types"],
    },
  },
};
