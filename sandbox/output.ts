// Output of a command within bounds: its beginning and its end are kept, the middle is counted.

export class BoundedOutput {
  bytes = 0;
  private readonly head: Buffer[] = [];
  private headBytes = 0;
  private readonly tail: Buffer[] = [];
  private tailBytes = 0;

  /** Keeps at most `limit` bytes: half from the beginning, half from the end. */
  constructor(private readonly limit: number) {}

  add(chunk: Buffer): void {
    this.bytes += chunk.length;
    const room = Math.ceil(this.limit / 2) - this.headBytes;
    if (room > 0) {
      this.head.push(chunk.subarray(0, room));
      this.headBytes += Math.min(room, chunk.length);
    }
    const rest = room > 0 ? chunk.subarray(room) : chunk;
    if (rest.length === 0) return;
    this.tail.push(rest);
    this.tailBytes += rest.length;
    const keep = Math.floor(this.limit / 2);
    // Whole chunks that are no longer part of the end; the first one left may reach beyond it.
    while (this.tailBytes - (this.tail[0]?.length ?? 0) >= keep) {
      this.tailBytes -= this.tail.shift()?.length ?? 0;
    }
  }

  /** As text: what is not UTF-8 shows as U+FFFD, and so does a character cut in two. */
  text(): string {
    const head = Buffer.concat(this.head);
    const tail = Buffer.concat(this.tail).subarray(-Math.floor(this.limit / 2));
    const left = this.bytes - head.length - tail.length;
    if (left <= 0) return Buffer.concat([head, tail]).toString('utf8');
    return `${head.toString('utf8')}\n… ${left} bytes left out …\n${tail.toString('utf8')}`;
  }
}
