// `npm start`: the whole service on this machine. Crashed parts are started again; the embedded servers outlive it.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Config, loadConfig } from '../config/env.js';
import { isProcess } from './processes.js';
import { type Service, startServices } from './services.js';

/** Before a crashed part is started again, in milliseconds: doubling from the first to the last. */
const RESTART_FIRST_MS = 500;
const RESTART_LAST_MS = 30_000;
/** A part that ran this long has come up well; its next crash counts as the first. */
const STEADY_MS = 60_000;

export const pidFile = (config: Config): string => path.join(config.dataDir, 'longhaul.pid');

/** The pid of a service that runs on this data folder. */
export function runningService(config: Config): number | undefined {
  try {
    const pid = Number(readFileSync(pidFile(config), 'utf8'));
    return pid > 0 && pid !== process.pid && isProcess(pid, ['start.js']) ? pid : undefined;
  } catch {
    return undefined;
  }
}

async function main(): Promise<void> {
  const config = loadConfig();
  const other = runningService(config);
  if (other !== undefined) {
    throw new Error(`Longhaul runs on ${config.dataDir} already (process ${other}). \`npm run stop\` stops it.`);
  }
  const services = await startServices({ config, say: (text) => console.log(text) });
  writeFileSync(pidFile(config), String(process.pid));
  let stopping = false;
  // The worker first: agent files of the folder name tools that it offers.
  const parts = [
    keep(
      () => services.startWorker(),
      () => stopping,
    ),
    keep(
      () => services.startApi(),
      () => stopping,
    ),
  ];
  const came = await Promise.allSettled(parts.map((part) => part.up));
  const failed = came.find((part) => part.status === 'rejected');
  if (failed) {
    stopping = true;
    await services.stop();
    rmSync(pidFile(config), { force: true });
    throw failed.reason;
  }
  console.log(banner(config, services));

  const stop = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    console.log('\nstopping: calls in flight may finish …');
    await services.stop();
    rmSync(pidFile(config), { force: true });
    console.log('stopped. PostgreSQL and Temporal go on; `npm run stop` stops them.');
    process.exit(0);
  };
  process.on('SIGINT', () => void stop());
  process.on('SIGTERM', () => void stop());
}

/** Keeps a part running until we stop. */
function keep(start: () => Promise<Service>, isStopping: () => boolean): { up: Promise<void> } {
  let delay = RESTART_FIRST_MS;
  const once = async (): Promise<void> => {
    const from = Date.now();
    const service = await start();
    void service.ended.then(({ code, signal }) => {
      if (isStopping()) return;
      delay = Date.now() - from > STEADY_MS ? RESTART_FIRST_MS : Math.min(RESTART_LAST_MS, delay * 2);
      console.error(`the ${service.name} ended (${signal ?? `code ${code}`}); started again in ${delay / 1000} s`);
      setTimeout(again, delay);
    });
  };
  const again = (): void => {
    if (isStopping()) return;
    once().catch((err: unknown) => {
      delay = Math.min(RESTART_LAST_MS, delay * 2);
      console.error(err instanceof Error ? err.message : err);
      setTimeout(again, delay);
    });
  };
  return { up: once() };
}

function banner(config: Config, services: Awaited<ReturnType<typeof startServices>>): string {
  const key = services.newAdminKey
    ? `${services.adminKey}   (shown this once; kept in ${services.adminKeyFile})`
    : `in ${services.adminKeyFile}`;
  const model =
    config.anthropicApiKey === undefined ? 'no ANTHROPIC_API_KEY: only agents with model scripted/… run' : 'Anthropic';
  return [
    '',
    `Longhaul is ready.`,
    `  API          ${services.apiUrl}`,
    `  description  ${services.apiUrl}/docs`,
    ...(services.uiUrl === undefined ? [] : [`  Temporal UI  ${services.uiUrl}`]),
    `  data         ${config.dataDir}`,
    `  admin key    ${key}`,
    `  models       ${model}`,
    '',
    'Ctrl-C stops it; runs go on where they were at the next start.',
  ].join('\n');
}

if (require.main === module) {
  main().catch((err: unknown) => {
    console.error(err instanceof Error ? err.message : err);
    process.exit(1);
  });
}
