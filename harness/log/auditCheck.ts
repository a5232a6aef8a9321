// Checks an audit as it is read: checkpoints first, then run after run its events. Memory grows with the signed heads only.
import type { AuditProblem, AuditReport, Checkpoint } from '../../contracts/audit.js';
import type { RunEvent } from '../../contracts/events.js';
import { checkpointProblem } from './checkpoint.js';
import { type ChainHead, checkChain, emptyChain } from './eventHash.js';

/** Further ones are counted as found and not told. */
const MAX_PROBLEMS = 100;

export interface AuditCheckOptions {
  tenantId: string;
  /** Keys that count. Undefined: any, as long as everything is signed. */
  trusted?: readonly string[] | undefined;
  /** Only this run is looked at. */
  runId?: string | undefined;
}

interface OpenRun {
  id: string;
  head: ChainHead;
  /** Nothing after the first bad event can be told from it. */
  broken: boolean;
}

export class AuditCheck {
  private readonly problems: AuditProblem[] = [];
  private readonly keys = new Set<string>();
  /** Signed heads by run, the latest last. */
  private readonly signed = new Map<string, ChainHead[]>();
  private readonly seen = new Set<string>();
  private latest: Checkpoint | undefined;
  private brokenCheckpoint = false;
  private checkpoints = 0;
  private events = 0;
  private unsigned = 0;
  private run: OpenRun | undefined;

  constructor(private readonly options: AuditCheckOptions) {}

  /** In order of their numbers, before any event. */
  checkpoint(checkpoint: Checkpoint): void {
    this.checkpoints += 1;
    const { number, publicKey } = checkpoint;
    if (!this.brokenCheckpoint) {
      const problem =
        checkpoint.tenantId === this.options.tenantId
          ? (checkpointProblem(checkpoint, this.latest) ?? this.distrust(publicKey))
          : 'is one of another tenant';
      if (problem !== undefined) {
        this.brokenCheckpoint = true;
        this.report({ where: 'checkpoint', checkpoint: number, problem });
        return;
      }
      this.latest = checkpoint;
      this.keys.add(publicKey);
    }
    if (this.brokenCheckpoint) return;
    for (const { runId, seq, hash } of checkpoint.heads) {
      if (this.options.runId !== undefined && this.options.runId !== runId) continue;
      const heads = this.signed.get(runId);
      if (heads) heads.push({ seq, hash });
      else this.signed.set(runId, [{ seq, hash }]);
    }
  }

  /** Something that is known from elsewhere, such as the last checkpoint that this service signed. */
  expectCheckpoint({ number, hash }: { number: number; hash: string }): void {
    if (this.brokenCheckpoint) return;
    if (this.latest && this.latest.number > number) return;
    if (this.latest?.number === number && this.latest.hash === hash) return;
    const problem =
      `was signed here (${hash.slice(0, 12)}…) and is not there${this.latest ? `; the last one is ${this.latest.number}` : ''}: ` +
      'checkpoints were dropped, or the database was restored from before';
    this.report({ where: 'checkpoint', checkpoint: number, problem });
  }

  /** In order of their numbers, all of a run together. `exact: false`: it is not stored as it was written. */
  event(runId: string, event: RunEvent & { exact?: boolean }): void {
    this.events += 1;
    const run = this.open(runId);
    if (run.broken) return;
    if (event.exact === false && event.seq === run.head.seq + 1) {
      return this.fail(run, event.seq, 'was changed: it is not stored as it was written');
    }
    const check = checkChain(runId, [event], run.head);
    if (!check.ok) {
      // A gap: the event that is missing is the first bad one.
      const seq = event.seq > run.head.seq + 1 ? run.head.seq + 1 : event.seq;
      return this.fail(run, seq, seq === event.seq ? check.problem : `is missing: event ${event.seq} follows instead`);
    }
    run.head = check.head;
    const heads = this.signed.get(runId);
    const next = heads?.[0];
    if (!heads || !next) {
      this.unsigned += 1;
    } else if (next.seq === event.seq) {
      heads.shift();
      if (next.hash !== event.hash) this.fail(run, event.seq, 'is not the one that a checkpoint has signed');
    }
  }

  /** All events of a run were given; `head` is what its row says, where there is one. */
  endRun(runId: string, head?: ChainHead): void {
    const run = this.open(runId);
    this.run = undefined;
    if (run.broken) return;
    const missing = run.head.seq + 1;
    const signed = this.signed.get(runId)?.at(-1);
    if (signed) {
      return this.fail(
        run,
        missing,
        `is missing: a checkpoint has signed event ${signed.seq}, and the log ends before`,
      );
    }
    if (head && head.seq > run.head.seq) {
      return this.fail(run, missing, `is missing: the run has had ${head.seq} events, and the log ends before`);
    }
    if (head && (head.seq !== run.head.seq || head.hash !== run.head.hash)) {
      this.fail(run, run.head.seq, 'is not the one that the run ended its log with');
    }
  }

  /** Something is wrong with a line of a file. Which event it was, those that follow it tell: one is missing. */
  badLine(line: number, problem: string): void {
    this.report({ where: 'file', line, problem });
  }

  get foundAny(): boolean {
    return this.problems.length > 0;
  }

  private report(problem: AuditProblem): void {
    if (this.problems.length < MAX_PROBLEMS) this.problems.push(problem);
  }

  /** Undefined: this key counts. */
  distrust(publicKey: string): string | undefined {
    const { trusted } = this.options;
    return trusted === undefined || trusted.includes(publicKey)
      ? undefined
      : `was signed by ${publicKey}, a key that is not trusted`;
  }

  end(): AuditReport {
    if (this.run) this.endRun(this.run.id);
    for (const runId of this.signed.keys()) {
      if (this.seen.has(runId)) continue;
      this.report({
        where: 'event',
        runId,
        seq: 1,
        problem: 'is missing: a checkpoint has signed this run, and all of it is gone',
      });
    }
    const { latest } = this;
    return {
      ok: this.problems.length === 0,
      tenantId: this.options.tenantId,
      runs: this.seen.size,
      events: this.events,
      checkpoints: this.checkpoints,
      unsigned: this.unsigned,
      ...(latest === undefined ? {} : { latest: { number: latest.number, at: latest.at, hash: latest.hash } }),
      publicKeys: [...this.keys],
      problems: this.problems,
    };
  }

  private open(runId: string): OpenRun {
    if (this.run?.id === runId) return this.run;
    if (this.run) this.endRun(this.run.id);
    const again = this.seen.has(runId);
    this.seen.add(runId);
    this.run = { id: runId, head: emptyChain, broken: false };
    if (again) this.fail(this.run, 1, 'stands apart from the other events of its run');
    return this.run;
  }

  private fail(run: OpenRun, seq: number, problem: string): void {
    run.broken = true;
    this.report({ where: 'event', runId: run.id, seq, problem });
  }
}
