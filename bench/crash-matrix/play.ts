// Plays one run of the scenario and kills a process at the planned points of it.
import type { RunEvent } from '../../contracts/events.js';
import { terminalEventTypes } from '../../contracts/events.js';
import { readEvents } from '../../db/events.js';
import { now, sleep } from '../clock.js';
import { Caller } from './caller.js';
import { type Point, lastKeyOf } from './points.js';
import type { Scenario } from './scenario.js';
import type { Victim, World } from './world.js';

export interface Hit {
  /** What was meant; of a commit, which one it was is known afterwards. */
  point: Point;
  /** Key of the last commit at the time of death. */
  commit: string;
  /** From the kill to the next event, in milliseconds. */
  goOnMs: number;
}

export interface Played {
  agentRunId: string;
  label: string;
  events: RunEvent[];
  hits: Hit[];
}

/** Without a new event for this long a run counts as lost, in milliseconds. */
const SILENCE_MS = 120_000;
/** Commits are counted from so near. */
const NEAR = 4;
/** The log is looked at this often when nothing is heard, in milliseconds. */
const LOOK_MS = 20;

export interface PlayOptions {
  label: string;
  victim?: Victim;
  plan?: readonly Point[];
  /** Keys of an undisturbed run's commits. */
  order?: readonly string[];
}

export async function play(
  world: World,
  scenario: Scenario,
  { label, victim, plan = [], order = [] }: PlayOptions,
): Promise<Played> {
  return new Play(world, scenario, label, victim, plan, order).toItsEnd();
}

class Play {
  private readonly api: Caller;
  private agentRunId = '';
  private readonly events: RunEvent[] = [];
  private readonly hits: Hit[] = [];
  /** Killed when so many more commits were heard of. */
  private armed: { point: Point; commits: number } | undefined;
  private waitsToGoOn: { hit: Hit; from: number; seq: number } | undefined;
  private recovering: Promise<void> = Promise.resolve();
  private lookAgain = true;
  private readonly decided = new Set<string>();
  private readonly said = new Map<number, Promise<void>>();
  private failure: Error | undefined;

  constructor(
    private readonly world: World,
    private readonly scenario: Scenario,
    private readonly label: string,
    private readonly victim: Victim | undefined,
    private readonly plan: readonly Point[],
    private readonly order: readonly string[],
  ) {
    this.api = new Caller(world);
  }

  async toItsEnd(): Promise<Played> {
    const { world } = this;
    world.onCommit((id) => this.heard(id));
    await this.setTraps();
    this.arm(-1);
    const { body } = await this.api.call(
      'POST',
      '/v1/runs',
      { agent: this.scenario.name, input: `Crash matrix, ${this.label}.` },
      { 'idempotency-key': this.label },
    );
    this.agentRunId = String(body['id']);
    let quietSince = Date.now();
    while (!this.isOver()) {
      if (this.failure) throw this.failure;
      const before = this.events.length;
      await this.look();
      if (this.events.length > before) quietSince = Date.now();
      else if (Date.now() - quietSince > SILENCE_MS) throw this.stuck();
      if (!this.lookAgain) await sleep(LOOK_MS);
    }
    await this.recovering;
    world.onCommit(undefined);
    world.sink.onVisit(undefined);
    await world.model.release();
    return { agentRunId: this.agentRunId, label: this.label, events: this.events, hits: this.hits };
  }

  private isOver(): boolean {
    const last = this.events.at(-1);
    return last !== undefined && terminalEventTypes.includes(last.type);
  }

  private heard(agentRunId: string): void {
    if (this.agentRunId === '') this.agentRunId = agentRunId; // heard of before the answer came
    if (agentRunId !== this.agentRunId) return;
    if (this.armed && --this.armed.commits === 0) {
      const { point } = this.armed;
      this.armed = undefined;
      this.strike(point, () => Promise.resolve()).catch((err: Error) => (this.failure = err));
    }
    this.lookAgain = true;
  }

  // ---- Calls to the outside that are killed in ----

  private async setTraps(): Promise<void> {
    const { world, scenario } = this;
    for (const point of this.plan.filter((p) => p.kind === 'model')) {
      const name = `${this.label} ${point.step}`;
      await world.model.holdAt({ name, script: scenario.name, turn: point.step - 1, at: point.at });
      this.trap(name, point).catch((err: Error) => (this.failure = err));
    }
    world.sink.onVisit((tool, what, when) => {
      const step = Number(/\d+/.exec(what)?.[0]);
      const point = this.plan.find((p) => p.kind === 'tool' && p.what === what && p.tool === tool && p.when === when);
      if (point && !this.hits.some((h) => h.point === point)) return this.strike(point, () => Promise.resolve());
      if (when === 'before' && scenario.messages.has(step)) return this.saySomething(step);
      return undefined;
    });
  }

  private async trap(name: string, point: Point): Promise<void> {
    for (;;) {
      const arrived = await this.world.model.waitForHold(name, 20_000).then(
        () => true,
        () => false,
      );
      if (arrived) break;
      if (this.isOver()) return;
    }
    await this.strike(point, async () => void (await this.world.model.release(name)));
  }

  /** Kills, starts again, lets go of what was held. */
  private async strike(point: Point, letGo: () => Promise<void>): Promise<void> {
    const restart = this.world.kill(this.victim as Victim);
    const from = now();
    const hit: Hit = { point, commit: '', goOnMs: Number.NaN };
    this.hits.push(hit);
    this.recovering = (async () => {
      const early = this.victim === 'postgres' ? undefined : await this.lastCommit();
      await restart();
      const commit = early ?? (await this.lastCommit());
      hit.commit = commit.key;
      this.waitsToGoOn = { hit, from, seq: commit.seq };
      await letGo();
    })();
    await this.recovering;
  }

  private async lastCommit(): Promise<{ key: string; seq: number }> {
    const events = this.agentRunId === '' ? [] : await this.read(0);
    return { key: lastKeyOf(events), seq: events.at(-1)?.seq ?? 0 };
  }

  // ---- What the log says ----

  private async look(): Promise<void> {
    this.lookAgain = false;
    const fresh = await this.read(this.events.at(-1)?.seq ?? 0).catch(() => []);
    if (fresh.length === 0) return;
    this.events.push(...fresh);
    const waits = this.waitsToGoOn;
    if (waits && (fresh.at(-1)?.seq ?? 0) > waits.seq) {
      waits.hit.goOnMs = now() - waits.from;
      this.waitsToGoOn = undefined;
    }
    for (const event of fresh) {
      const { approvalId } = event.data;
      if (event.type === 'approval.requested') this.decide(String(approvalId)).catch((e: Error) => (this.failure = e));
    }
    this.arm(this.order.indexOf(lastKeyOf(this.events)));
  }

  /** Which commit it really was is known afterwards; one beside the point meant is as good. */
  private arm(at: number): void {
    if (this.armed || this.waitsToGoOn) return;
    for (const point of this.plan) {
      if (point.kind !== 'commit' || point.index <= at || point.index > at + NEAR) continue;
      if (this.hits.some((h) => h.point === point)) continue;
      this.armed = { point, commits: point.index - at };
      return;
    }
  }

  private async read(after: number): Promise<RunEvent[]> {
    const events: RunEvent[] = [];
    for (;;) {
      const page = await readEvents(this.world.pool, this.agentRunId, events.at(-1)?.seq ?? after, 1000);
      events.push(...page);
      if (page.length < 1000) return events;
    }
  }

  // ---- People ----

  private async decide(approvalId: string): Promise<void> {
    if (this.decided.has(approvalId)) return;
    this.decided.add(approvalId);
    const { body } = await this.api.call('GET', `/v1/approvals/${approvalId}`);
    const { argumentsDigest } = body;
    const answer = await this.api.call('POST', `/v1/approvals/${approvalId}/decision`, {
      decision: 'approve',
      argumentsDigest,
    });
    // 409: an earlier try of this decision was taken though its answer was lost.
    if (answer.status !== 200 && answer.status !== 409) throw new Error(JSON.stringify(answer.body));
  }

  /** The step waits for it, so that it is shown at the same place in every run. */
  private saySomething(step: number): Promise<void> {
    const said = this.said.get(step) ?? this.say(`A word about step ${step}.`);
    this.said.set(step, said);
    return said;
  }

  private async say(content: string): Promise<void> {
    const queued = async () => (await this.read(0)).filter((e) => e.type === 'message.queued').length;
    const before = await queued();
    for (;;) {
      const answer = await this.api.once('POST', `/v1/runs/${this.agentRunId}/messages`, { content });
      if (answer?.status === 202) return;
      if (answer) throw new Error(JSON.stringify(answer.body));
      await sleep(200);
      if ((await queued().catch(() => before)) > before) return;
    }
  }

  private stuck(): Error {
    const last = this.events.at(-1);
    const hits = this.hits.map((h) => `${h.point.kind} of step ${h.point.step}`).join(', ');
    return new Error(
      `${this.label} (${this.agentRunId}) went silent after event ${last?.seq} (${last?.type}, step ${last?.step}); ` +
        `killed so far: ${hits}\n${this.world.log.slice(-15).join('\n')}`,
    );
  }
}
