// Agent files of a folder, put at the start of the API. A version that is stored already is not made current again,
// so an agent put over REST is not undone by a restart.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { Logger } from 'pino';
import { findAgentVersion, putAgentVersion } from '../db/agents.js';
import { type Pool, withTransaction } from '../db/pool.js';
import { listToolsForAgents } from '../db/workers.js';
import { checkAgent } from '../harness/agents/checkAgent.js';

/** Until the tools that a file names are offered by a worker, in milliseconds. */
const RETRY_MS = 2000;

export function loadAgents(pool: Pool, dir: string, log: Logger): { stop(): void } {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const said = new Set<string>();

  const load = async (files: readonly string[]): Promise<void> => {
    const waiting: string[] = [];
    for (const file of files) {
      const problem = await loadOne(pool, file, log);
      if (problem === undefined) continue;
      if (!said.has(problem.text)) log.warn({ file }, problem.text);
      said.add(problem.text);
      if (problem.mayPass) waiting.push(file);
    }
    if (waiting.length > 0 && !stopped) timer = setTimeout(() => start(waiting), RETRY_MS);
  };
  const start = (files: readonly string[]): void => {
    load(files).catch((err: unknown) => {
      log.warn({ err }, 'agent files could not be loaded yet');
      if (!stopped) timer = setTimeout(() => start(files), RETRY_MS);
    });
  };
  start(agentFiles(dir));
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

const agentFiles = (dir: string): string[] =>
  existsSync(dir)
    ? readdirSync(dir)
        .filter((name) => /\.(ya?ml|json)$/.test(name))
        .toSorted()
        .map((name) => path.join(dir, name))
    : [];

async function loadOne(pool: Pool, file: string, log: Logger): Promise<{ text: string; mayPass: boolean } | undefined> {
  const source = readFileSync(file, 'utf8');
  const { offered, refused } = await listToolsForAgents(pool);
  const checked = checkAgent(source, offered, { refused });
  if (!checked.ok) {
    const text = checked.errors.map((e) => `${file}:${e.line ?? 1}: ${e.path} ${e.message}`).join('\n');
    return { text, mayPass: checked.missingTools.length > 0 };
  }
  const { definition, version } = checked;
  const { name } = definition;
  if (await findAgentVersion(pool, 'default', name, version)) return undefined;
  await withTransaction(pool, (tx) => putAgentVersion(tx, { tenantId: 'default', name, version, definition, source }));
  log.info({ agent: name, version: version.slice(0, 12), file }, 'agent loaded');
  return undefined;
}
