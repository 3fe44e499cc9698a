/**
 * The process runtime starts only the programs of its table. No request chooses what runs on this machine.
 */
import { describe, expect, it } from "vitest";
import { parseCreateRequest, requireKnownVariables } from "../../../local/containers/create-request.ts";
import { findImage, imageDigest, projectImages } from "../../../local/containers/images.ts";
import { CONSUMER_ENVIRONMENT } from "../../../services/contract/environment.ts";

const images = projectImages("/build");
const parse = (fields: object, name = "task") =>
  parseCreateRequest(name, JSON.stringify({ Image: "evenkeel/consumer", ...fields }));
const consumer = images["evenkeel/consumer"]!;
const admit = (environment: Record<string, string>) =>
  requireKnownVariables("evenkeel/consumer", consumer, environment);

describe("an image", () => {
  it.each([
    "evenkeel/consumer",
    "evenkeel/consumer:latest",
    "registry.example:5000/evenkeel/consumer:1@sha256:0",
    imageDigest("evenkeel/consumer"),
    "../../evenkeel/consumer", // any registry's: only the name decides, and no path is made of it
  ])("%s is the consumer's one command", (reference) => {
    const { run } = findImage(images, reference) ?? expect.fail(`${reference} is not found`);
    expect(run.command).toBe(process.execPath);
    expect(run.args).toEqual([expect.stringMatching(/^--/), "/build/consumer.mjs"]);
  });

  it.each([
    "evenkeel/consumer/../producer2",
    "evenkeel/consumer ",
    "evenkeel/consumer;sh",
    "evil-evenkeel/consumer",
    "consumer",
    "__proto__",
    "constructor",
    "toString",
    "",
    "/",
    "sh",
    "/bin/sh",
    `sha256:${"0".repeat(64)}`,
  ])("%j is none", (reference) => {
    expect(findImage(images, reference)).toBeUndefined();
  });
});

describe("a request", () => {
  it("as MiniStack sends it is taken", () => {
    expect(
      parse({ Cmd: null, Env: ["RATE=5", "URL=http://host.docker.internal:4566/a=b"], Labels: { a: "b" } }),
    ).toEqual({
      name: "task",
      image: "evenkeel/consumer",
      labels: { a: "b" },
      environment: { RATE: "5", URL: "http://127.0.0.1:4566/a=b" },
    });
  });

  it.each([
    ["a command", { Cmd: ["--eval", "1"] }, 'Cmd is ["--eval","1"]; expected none'],
    ["a command in one text", { Cmd: "sh" }, 'Cmd is "sh"; expected none'],
    ["an entry point", { Entrypoint: ["/bin/sh"] }, "Entrypoint is"],
    ["no image", { Image: undefined }, "Image is missing; expected"],
    ["an image that is no text", { Image: ["evenkeel/consumer"] }, "Image is"],
    ["variables that are no list", { Env: { A: "1" } }, "Env is"],
    ["a variable without a value", { Env: ["A"] }, 'Env has the line "A"'],
    ["a variable of an odd name", { Env: ["A B=1"] }, "Env has the line"],
    ["a variable that ends the text", { Env: ["A=1\0B=2"] }, "Env has the line"],
    ["labels that are no texts", { Labels: { a: 1 } }, "Labels is"],
  ])("with %s is refused in words", (_, fields, message) => {
    expect(() => parse(fields)).toThrow(message);
  });

  it.each(["../x", "a/b", "-rm", ".hidden", "a b", "a\n", "x".repeat(256)])(
    "for the name %j is refused",
    (name) => {
      expect(() => parse({}, name)).toThrow("expected letters");
    },
  );

  it.each(["", "null", "[]", "1", "{"])("with the body %j is refused in words", (body) => {
    expect(() => parseCreateRequest("task", body)).toThrow(/^the body is/);
  });
});

describe("the variables of a task", () => {
  it("are those that the program reads, and AWS's own", () => {
    admit(Object.fromEntries(Object.values(CONSUMER_ENVIRONMENT).map((name) => [name, "1"])));
    admit({ AWS_ENDPOINT_URL: "http://127.0.0.1:4566", ECS_CONTAINER_METADATA_URI_V4: "http://127.0.0.1" });
  });

  it.each([
    "NODE_OPTIONS",
    "NODE_PATH",
    "NODE_EXTRA_CA_CERTS",
    "NODE_TLS_REJECT_UNAUTHORIZED",
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "DYLD_INSERT_LIBRARIES",
    "OPENSSL_CONF",
    "PATH",
    "HOME",
    "AWS_CONFIG_FILE", // its credential_process is a command
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_PROFILE",
    "HTTPS_PROXY",
    "node_options",
    "__proto__",
  ])("%s is refused: it changes what runs, or whom it talks to", (name) => {
    expect(() => admit(Object.fromEntries([[name, "x"]]))).toThrow(
      `evenkeel/consumer does not read the variable "${name}"`,
    );
  });
});
