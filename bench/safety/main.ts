// `npm run bench:safety`: a model that obeys the attacker perfectly, and what Longhaul lets through; beside it, how often
// people are asked when nobody attacks.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { packageRoot } from '../../embedded/services.js';
import { checkAgent } from '../../harness/agents/checkAgent.js';
import { Closing } from '../closing.js';
import { thisHostText } from '../report/machine.js';
import { agentFile } from './agentFile.js';
import { type Case, casesOf } from './cases.js';
import { figuresOf, isReached, tableOf } from './figures.js';
import { type MalformedFigures, areRefused, malformedRows, playMalformedOnline } from './malformed/online.js';
import { playOffline } from './offline.js';
import { playOnline } from './online.js';
import type { Outcome } from './outcome.js';
import { startStage } from './stage.js';
import { type Suite, loadSuites } from './suite.js';
import { quantile, verdictTimes } from './verdictTime.js';

const HELP = `npm run bench:safety -- [options]
  --offline        the harness alone, without servers: the same rules in half a minute
  --every N        every Nth attack and every benign task (default: 1, all)
  --calls N        malformed calls, generated (default: 100000; 0: none; not with --offline)
  --seed N         of their generator (default: 1)
  --runs N         runs at a time (default: 8)
  --suites DIR     other suites in the same format (default: bench/safety/agentdojo/suites)
  --agents DIR     what their operators declare, SUITE.yaml (default: bench/safety/agents; none: cautious for every tool)
  --publish        keep the table in docs/bench/safety.md`;

interface Play {
  suite: Suite;
  play: Case;
}

async function main(): Promise<void> {
  const own = path.join(packageRoot(), 'bench', 'safety');
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean' },
      offline: { type: 'boolean', default: false },
      publish: { type: 'boolean', default: false },
      every: { type: 'string', default: '1' },
      calls: { type: 'string', default: '100000' },
      seed: { type: 'string', default: '1' },
      runs: { type: 'string', default: '8' },
      suites: { type: 'string', default: path.join(own, 'agentdojo', 'suites') },
      agents: { type: 'string', default: path.join(own, 'agents') },
    },
  });
  if (values.help) {
    console.log(HELP);
    return;
  }
  const every = whole('--every', values.every, 1);
  const calls = { count: whole('--calls', values.calls, 0), seed: whole('--seed', values.seed, 0) };
  const plays = loadSuites(values.suites).flatMap((suite) => casesOf(suite).map((play) => ({ suite, play })));
  const attacks = plays.filter(({ play }) => play.attack !== undefined);
  const chosen = new Set(attacks.filter((_, i) => i % every === 0));
  const played = plays.filter((each) => each.play.attack === undefined || chosen.has(each));
  const { outcomes, malformed } = values.offline
    ? { outcomes: playAllOffline(played, values.agents), malformed: undefined }
    : await playAllOnline(played, values.agents, whole('--runs', values.runs, 1), calls);
  const figures = figuresOf(outcomes);
  const how = values.offline ? 'the harness alone, without servers' : 'through API, worker and policy';
  const share = every === 1 ? '' : `, every ${every}th attack of ${attacks.length}`;
  const times = loadSuites(values.suites).flatMap((suite) =>
    verdictTimes(
      checked(suite, values.agents),
      played.filter((each) => each.suite.suite === suite.suite).map((each) => each.play),
    ),
  );
  const p99 = `| policy verdict with 10,000 values of provenance, p99 of ${times.length} calls | < 1 ms | ${quantile(times, 0.99).toFixed(2)} ms |`;
  const rows = [tableOf(figures), ...(malformed ? malformedRows(malformed) : []), p99];
  const text = `${played.length} runs, ${how}${share}.\n\n${rows.join('\n')}\n`;
  console.log(`\n${text}`);
  for (const id of figures.reached) console.log(`reached: ${id}`);
  for (const id of figures.blocked) console.log(`blocked: ${id}`);
  console.log(`asking: ${figures.asking.join(', ') || 'none'}`);
  for (const problem of malformed?.problems ?? []) console.log(`malformed: ${problem}`);
  if (values.publish) publish(text, figures.asking);
  if (!isReached(figures) || (malformed && !areRefused(malformed))) process.exitCode = 1;
}

function whole(option: string, text: string, from: number): number {
  const n = Number(text);
  if (Number.isInteger(n) && n >= from) return n;
  throw new Error(`${option} takes a whole number from ${from}; this is ${text}`);
}

function playAllOffline(plays: readonly Play[], agentsFolder: string): Outcome[] {
  const agents = new Map<Suite, Extract<ReturnType<typeof checkAgent>, { ok: true }>>();
  return plays.map(({ suite, play }) => {
    const agent = agents.get(suite) ?? checked(suite, agentsFolder);
    agents.set(suite, agent);
    return playOffline(agent, play);
  });
}

function checked(suite: Suite, agentsFolder: string): Extract<ReturnType<typeof checkAgent>, { ok: true }> {
  const agent = checkAgent(
    agentFile(suite, agentsFolder, (tool) => `http://127.0.0.1:9/${tool}`),
    [],
  );
  if (agent.ok) return agent;
  throw new Error(`${suite.suite}: ${agent.errors.map(({ path: at, message }) => `${at}: ${message}`).join('; ')}`);
}

async function playAllOnline(
  plays: readonly Play[],
  agentsFolder: string,
  atOnce: number,
  calls: { count: number; seed: number },
): Promise<{ outcomes: Outcome[]; malformed: MalformedFigures | undefined }> {
  const closing = new Closing();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void closing.close().then(() => process.exit(130)));
  }
  try {
    const stage = await startStage(closing);
    const outcomes: Outcome[] = [];
    let done = 0;
    const waiting = [...plays.entries()];
    const play = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const [place, { suite, play: each }] = next;
        outcomes[place] = await playOnline(stage, agentsFolder, suite, each);
        done += 1;
        if (done % 25 === 0) console.log(`${done} of ${plays.length} runs`);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, play));
    const malformed = calls.count === 0 ? undefined : await playMalformedOnline(stage, calls);
    return { outcomes, malformed };
  } finally {
    await closing.close();
  }
}

function publish(text: string, asking: readonly string[]): void {
  const file = path.join(packageRoot(), 'docs', 'bench', 'safety.md');
  const head = '# `npm run bench:safety`\n\nAgentDojo v1.2.2, a scripted model that obeys the attacker perfectly.';
  writeFileSync(file, `${head} ${text}\nOn ${thisHostText()}.\n\nBenign tasks that ask: ${asking.join(', ')}.\n`);
  console.log(`published: ${file}`);
}

main().catch((err: unknown) => {
  console.error(err instanceof Error ? err.message : err);
  process.exitCode = 1;
});
