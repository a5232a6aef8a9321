// What was asked and answered, one entry a request, bounded in memory and appended to a file when one is given.
import { createHash } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { type Bill, Ledger } from './bill.js';
import type { RawUsage, ReplyMessage } from './render.js';

export interface JournalEntry {
  n: number;
  at: string;
  requestId: string;
  script: string;
  turn: number;
  conversation: string;
  /** `answered`: the reply was sent to its end. `faulted`: a fault of the script. `aborted`: the client went away. */
  status: 'open' | 'answered' | 'refused' | 'faulted' | 'aborted';
  detail?: string;
  usage?: RawUsage;
  /** The client was told what the whole reply costs. */
  announced?: boolean;
  reply?: ReplyMessage;
  headers: Record<string, string>;
  /** SHA-256 of the body's bytes. */
  bodySha256: string;
  /** null when it was dropped to bound the journal. */
  request: unknown;
}

/** As kept: the request is read from its body when somebody asks. */
export type Noted = Omit<JournalEntry, 'request'>;

export interface ReceivedRequest {
  body: string;
  headers: Record<string, string>;
}

/** Entries kept; the oldest go first. */
const MAX_ENTRIES = 50_000;
/** Characters of bodies kept; the oldest bodies go first. */
const MAX_BODIES = 64 * 1024 * 1024;

export class Journal {
  private entries: Noted[] = [];
  /** As text, which takes a fraction of what the parsed request would. */
  private readonly bodies = new Map<Noted, string>();
  private held = 0;
  private next = 1;
  private readonly ledger = new Ledger();

  constructor(private readonly file?: string) {}

  open(entry: Pick<JournalEntry, 'script' | 'turn' | 'conversation'>, received: ReceivedRequest): Noted {
    const n = this.next++;
    const bodySha256 = createHash('sha256').update(received.body).digest('hex');
    const opened: Noted = {
      n,
      at: new Date().toISOString(),
      requestId: `req_${bodySha256.slice(0, 12)}_${n}`,
      status: 'open',
      ...entry,
      headers: received.headers,
      bodySha256,
    };
    this.entries.push(opened);
    this.bodies.set(opened, received.body);
    this.held += received.body.length;
    this.bound();
    return opened;
  }

  /** The end of a request; the first one counts. */
  finish(entry: Noted, status: JournalEntry['status'], detail?: string): void {
    if (entry.status !== 'open') return;
    entry.status = status;
    if (detail !== undefined) entry.detail = detail;
    this.ledger.charge(entry);
    if (this.file !== undefined) appendFileSync(this.file, `${JSON.stringify(this.withRequest(entry))}\n`);
  }

  read(filter: { after?: number; script?: string }): JournalEntry[] {
    return this.entries
      .filter((e) => e.n > (filter.after ?? 0) && (filter.script === undefined || e.script === filter.script))
      .map((e) => this.withRequest(e));
  }

  private withRequest(entry: Noted): JournalEntry {
    const body = this.bodies.get(entry);
    return { ...entry, request: body === undefined ? null : (JSON.parse(body) as unknown) };
  }

  bill = (script?: string): Bill => this.ledger.read(script);

  clear(): void {
    this.entries = [];
    this.bodies.clear();
    this.held = 0;
    this.ledger.clear();
  }

  private bound(): void {
    if (this.entries.length > MAX_ENTRIES) this.drop(this.entries.shift() as Noted);
    for (const [oldest] of this.bodies) {
      if (this.held <= MAX_BODIES) break;
      this.drop(oldest);
    }
  }

  private drop(entry: Noted): void {
    this.held -= this.bodies.get(entry)?.length ?? 0;
    this.bodies.delete(entry);
  }
}
