// An export of the audit as bytes: JSON lines whose last one signs all before it. Written and checked piece by piece.
import { type Hash, createHash } from 'node:crypto';
import { type AuditEnd, type AuditLine, type AuditReport, auditLine } from '../../contracts/audit.js';
import type { RunEvent } from '../../contracts/events.js';
import { canonicalJson } from '../canonical.js';
import { AuditCheck } from './auditCheck.js';
import { AuditEffects } from './auditEffects.js';
import { type AuditKey, isSignedBy } from './auditKey.js';

const textOf = ({ runs, events, checkpoints, sha256 }: Omit<AuditEnd, 'kind' | 'publicKey' | 'signature'>): string =>
  `longhaul audit ${canonicalJson({ runs, events, checkpoints, sha256 })}`;

export class AuditFileWriter {
  private readonly hash = createHash('sha256');
  private readonly counts = { runs: 0, events: 0, checkpoints: 0 };
  private runId: string | undefined;

  constructor(private readonly key: AuditKey) {}

  line(line: Exclude<AuditLine, { kind: 'end' }>): string {
    if (line.kind === 'checkpoint') this.counts.checkpoints += 1;
    if (line.kind === 'event') {
      this.counts.events += 1;
      if (line.runId !== this.runId) this.counts.runs += 1;
      this.runId = line.runId;
    }
    const text = `${JSON.stringify(line)}\n`;
    this.hash.update(text);
    return text;
  }

  end(): string {
    const facts = { ...this.counts, sha256: this.hash.digest('hex') };
    const end: AuditEnd = {
      kind: 'end',
      ...facts,
      publicKey: this.key.publicKey,
      signature: this.key.sign(textOf(facts)),
    };
    return `${JSON.stringify(end)}\n`;
  }
}

const NEWLINE = 10;

export class AuditFileCheck {
  private readonly hash: Hash = createHash('sha256');
  private check: AuditCheck | undefined;
  private effects: { runId: string; collected: AuditEffects; told: number } | undefined;
  private rest: Buffer[] = [];
  private lines = 0;
  private end: AuditEnd | undefined;
  private readonly counts = { runs: 0, events: 0, checkpoints: 0 };

  /** `trusted` undefined: any key, as long as everything is signed. */
  constructor(private readonly trusted: readonly string[] | undefined) {}

  write(bytes: Buffer): void {
    let from = 0;
    for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, from)) {
      this.line(Buffer.concat([...this.rest, bytes.subarray(from, at + 1)]));
      this.rest = [];
      from = at + 1;
    }
    if (from < bytes.length) this.rest.push(bytes.subarray(from));
  }

  finish(): AuditReport {
    const rest = Buffer.concat(this.rest);
    if (rest.length > 0) this.line(rest);
    this.closeEffects();
    const check = (this.check ??= new AuditCheck({ tenantId: '', trusted: this.trusted }));
    if (this.lines === 0) check.badLine(1, 'the file is empty');
    const report = check.end();
    if (this.end === undefined) {
      const problem = {
        where: 'file' as const,
        line: this.lines + 1,
        problem: 'the file is cut short: its last line is missing',
      };
      return { ...report, ok: false, problems: [...report.problems, problem] };
    }
    return report;
  }

  private line(bytes: Buffer): void {
    this.lines += 1;
    const parsed = parse(bytes);
    if (this.end !== undefined) return this.refuse('stands after the end of the audit');
    if (typeof parsed === 'string') {
      this.hash.update(bytes);
      return this.refuse(parsed);
    }
    if (parsed.kind === 'end') return this.takeEnd(parsed);
    this.hash.update(bytes);
    if (!this.check && parsed.kind !== 'audit') return this.refuse('stands before the head of the file');
    this.take(parsed);
  }

  private take(line: Exclude<AuditLine, { kind: 'end' }>): void {
    switch (line.kind) {
      case 'audit':
        if (this.check) return this.refuse('is a second head');
        this.check = new AuditCheck({ tenantId: line.tenantId, trusted: this.trusted, runId: line.runId });
        return;
      case 'checkpoint': {
        if (this.counts.events > 0) return this.refuse('is a checkpoint among events');
        const { kind: _kind, ...checkpoint } = line;
        this.counts.checkpoints += 1;
        return this.check?.checkpoint(checkpoint);
      }
      case 'event': {
        const { kind: _kind, runId, ...event } = line;
        this.counts.events += 1;
        this.collector(runId).take(event as RunEvent);
        return this.check?.event(runId, event as RunEvent);
      }
      case 'effect':
        return this.takeEffect(line);
    }
  }

  private collector(runId: string): AuditEffects {
    if (this.effects?.runId !== runId) {
      this.closeEffects();
      this.counts.runs += 1;
      this.effects = { runId, collected: new AuditEffects(runId), told: 0 };
    }
    return this.effects.collected;
  }

  private takeEffect({ kind: _kind, ...effect }: Extract<AuditLine, { kind: 'effect' }>): void {
    const { effects } = this;
    const expected = effects?.collected.all()[effects.told];
    if (effects && expected && canonicalJson(expected) === canonicalJson(effect)) effects.told += 1;
    else this.refuse(`is an effect that does not follow from the events of ${effect.runId}`);
  }

  private closeEffects(): void {
    const { effects } = this;
    this.effects = undefined;
    const missing = effects?.collected.all()[effects.told];
    if (missing) this.refuse(`comes too early: the effect of event ${missing.seq} of ${missing.runId} is missing`);
  }

  private takeEnd(end: AuditEnd): void {
    this.closeEffects();
    this.end = end;
    const { check, counts } = this;
    if (!check) return this.refuse('stands before the head of the file');
    if (check.foundAny) return; // the file as a whole is wrong because of that
    const sha256 = this.hash.digest('hex');
    const { kind: _kind, publicKey, signature, ...facts } = end;
    const problem =
      end.sha256 !== sha256
        ? 'the file is not what was exported: its hash is another'
        : canonicalJson(facts) !== canonicalJson({ ...counts, sha256 })
          ? 'does not count what the file has'
          : isSignedBy(publicKey, textOf(facts), signature)
            ? check.distrust(publicKey)
            : 'was not signed with the key that it names';
    if (problem !== undefined) this.refuse(problem);
  }

  private refuse(problem: string): void {
    this.check ??= new AuditCheck({ tenantId: '', trusted: this.trusted });
    this.check.badLine(this.lines, problem);
  }
}

/** A line as it was written, or what is wrong with it. */
function parse(bytes: Buffer): AuditLine | string {
  const text = bytes.toString('utf8');
  if (!text.endsWith('\n')) return 'is cut short';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'is not JSON';
  }
  const parsed = auditLine.safeParse(value);
  if (!parsed.success) return `is no line of an audit (${parsed.error.issues[0]?.path.join('.')})`;
  return `${JSON.stringify(value)}\n` === text ? parsed.data : 'is not written as an export writes it';
}
