// The import arrows of DESIGN.md as a failing check.
const arrow = (name, comment, from, to) => ({ name, comment, severity: "error", from, to });
/** All rooms of the project. What is not below them (packages, node:) is free unless an arrow says otherwise. */
const ROOMS = "^(src|services|infra|lab|local|examples)/";
/** The library's doors: its entries, and the pure files that other rooms may share. */
const DOORS = [
  "^src/(index|inspect|testing|platform|defaults|suggest)\\.ts$",
  "^src/ports/(clock|random)\\.ts$",
  "^src/core/hash-range\\.ts$",
  "^src/adapters/dynamodb/(own-rows|request-shard-sync)\\.ts$",
];
/** The rooms of the lab, in the order of its data. A room imports only rooms before it. */
const LAB = [
  "terminal",
  "process",
  "aws",
  "fleet",
  "history",
  "checkers",
  "measures",
  "report",
  "(experiment|monitor)",
  "cli",
];
module.exports = {
  forbidden: [
    ...LAB.slice(0, -1).map((room, index) =>
      arrow(
        `lab-${room.replaceAll(/\W/g, "-")}-looks-back`,
        "the lab's data flows one way: no arrow goes back",
        { path: `^lab/${room}/` },
        { path: `^lab/(${LAB.slice(index + 1).join("|")})/` },
      ),
    ),
    arrow(
      "experiment-apart-from-monitor",
      "the experiment and the monitor share the rooms before them, not each other",
      { path: "^lab/(experiment|monitor)/" },
      { path: "^lab/(experiment|monitor)/", pathNot: "^lab/$1/" },
    ),
    arrow("no-circular", "a cycle hides which way a decision flows", {}, { circular: true }),
    arrow(
      "core-is-pure",
      "core imports only core (and node:crypto, for a digest)",
      { path: "^src/core/" },
      { pathNot: "^(src/core/|(node:)?crypto$)" },
    ),
    arrow(
      "ports-see-core",
      "ports describe the outside in core's words",
      { path: "^src/ports/" },
      { pathNot: "^src/(core|ports)/" },
    ),
    arrow(
      "engine-sees-ports",
      "the engine performs decisions through ports, never through an SDK",
      { path: "^src/engine/" },
      { pathNot: "^src/(core|ports|engine)/" },
    ),
    arrow(
      "reader-reads-one-shard",
      "what reads a shard does not know the coordinator",
      { path: "^src/engine/reader/" },
      {
        path: "^src/engine/(coordinator|fleet-|membership|leader-|lease-|poll-|shard-task|rescue|row-polls)",
      },
    ),
    arrow(
      "adapters-see-ports",
      "an adapter knows its port and the core's words, not the engine",
      { path: "^src/adapters/" },
      { path: ROOMS, pathNot: "^src/((core|ports|adapters)/|platform\\.ts$)" },
    ),
    arrow(
      "library-stands-alone",
      "the library imports no other room",
      { path: "^src/" },
      { path: "^(services|infra|lab|local)/" },
    ),
    arrow(
      "contract-is-shared",
      "what infra, services and lab share imports the library's doors only",
      { path: "^services/contract/" },
      { path: ROOMS, pathNot: ["^services/contract/", ...DOORS] },
    ),
    arrow(
      "services-stand-alone",
      "a service imports the contract and the library's doors, no other service",
      { path: "^services/([^/]+)/", pathNot: "^services/contract/" },
      { path: ROOMS, pathNot: ["^services/(contract|$1)/", ...DOORS] },
    ),
    arrow(
      "infra-sees-services",
      "the stack imports services, not the endpoint or the lab",
      { path: "^infra/" },
      { path: "^(lab|local)/" },
    ),
    arrow(
      "endpoint-stands-alone",
      "the endpoint imports the contract and the library's doors only",
      { path: "^local/" },
      { path: ROOMS, pathNot: ["^local/", "^services/contract/", ...DOORS] },
    ),
    arrow(
      "lab-sees-services-and-endpoint",
      "the lab imports services and the endpoint, not the stack",
      { path: "^lab/" },
      { path: "^infra/" },
    ),
    arrow(
      "rooms-use-the-front-door",
      "infra, lab and local use the library's doors and a service's index.ts, never their insides",
      { path: "^(infra|lab|local)/" },
      {
        path: "^(src|services/(consumer|producer|resharder))/",
        pathNot: ["^services/[^/]+/index\\.ts$", ...DOORS],
      },
    ),
    arrow(
      "examples-use-the-package",
      "an example is a program of a user's: it imports the package by its name",
      { path: "^examples/" },
      { path: ROOMS, pathNot: ["^examples/", "^src/index\\.ts$"] },
    ),
    arrow("no-orphan-tests-in-code", "code never imports tests", { path: ROOMS }, { path: "^test/" }),
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
