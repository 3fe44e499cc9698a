import type { Readable } from "node:stream";

/** Kept for readers that join later. Older output is dropped. */
const MAX_KEPT_BYTES = 256 * 1024;

type Reader = { frame: (data: Buffer) => void; end: () => void };

/**
 * A container's output as frames of Docker's multiplexed stream: an 8-byte header (stream number, length),
 * then data. Frames end at line ends, because each frame becomes separate log events.
 */
export class LogBuffer {
  readonly #kept: Buffer[] = [];
  readonly #readers = new Set<Reader>();
  #keptBytes = 0;
  #openStreams = 0;
  #isEnded = false;

  follow(stdout: Readable, stderr: Readable): void {
    this.#openStreams = 2;
    this.#collect(stdout, 1);
    this.#collect(stderr, 2);
  }

  /** Delivers the kept frames, then new ones. Returns a function that ends the subscription. */
  read(reader: Reader): () => void {
    for (const frame of this.#kept) reader.frame(frame);
    if (this.#isEnded) reader.end();
    else this.#readers.add(reader);
    return () => this.#readers.delete(reader);
  }

  end(): void {
    this.#isEnded = true;
    for (const reader of this.#readers) reader.end();
    this.#readers.clear();
  }

  #collect(stream: Readable, number: 1 | 2): void {
    let rest: Buffer = Buffer.alloc(0);
    stream.on("data", (chunk: Buffer) => {
      const data = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
      const lineEnd = data.lastIndexOf(0x0a) + 1;
      // A line longer than the buffer is cut, so that memory stays bounded.
      const cut = lineEnd === 0 && data.length > MAX_KEPT_BYTES ? data.length : lineEnd;
      rest = data.subarray(cut);
      if (cut > 0) this.#add(data.subarray(0, cut), number);
    });
    stream.once("close", () => {
      if (rest.length > 0) this.#add(rest, number);
      this.#openStreams -= 1;
      if (this.#openStreams === 0) this.end();
    });
  }

  #add(data: Buffer, number: 1 | 2): void {
    const frame = Buffer.alloc(8 + data.length);
    frame[0] = number;
    frame.writeUInt32BE(data.length, 4);
    data.copy(frame, 8);
    this.#kept.push(frame);
    this.#keptBytes += frame.length;
    while (this.#keptBytes > MAX_KEPT_BYTES && this.#kept.length > 1)
      this.#keptBytes -= this.#kept.shift()!.length;
    for (const reader of this.#readers) reader.frame(frame);
  }
}
