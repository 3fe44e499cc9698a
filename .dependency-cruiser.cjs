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
      "an adapter knows its port and the core's words, not the engine",
      { path: "^services/consumer/adapters/" },
      { path: "^(services|infra|lab|local)/", pathNot: "^services/(consumer/(core|ports|adapters)|shared)/" },
    ),
    arrow(
      "producer-stands-alone",
      "the producer imports the kernel only",
      { path: "^services/producer/" },
      { path: "^(services|infra|lab|local)/", pathNot: "^services/(producer|shared)/" },
    ),
    arrow(
      "resharder-stands-alone",
      "the resharder imports the kernel only",
      { path: "^services/resharder/" },
      { path: "^(services|infra|lab|local)/", pathNot: "^services/(resharder|shared)/" },
    ),
    arrow(
      "infra-sees-services",
      "the stack imports services, not the endpoint or the lab",
      { path: "^infra/" },
      { path: "^(lab|local)/" },
    ),
    arrow(
      "endpoint-stands-alone",
      "the endpoint imports the kernel only",
      { path: "^local/" },
      { path: "^(services|infra|lab)/", pathNot: "^services/shared/" },
    ),
    arrow(
      "lab-sees-services-and-endpoint",
      "the lab imports services and the endpoint, not the stack",
      { path: "^lab/" },
      { path: "^infra/" },
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
