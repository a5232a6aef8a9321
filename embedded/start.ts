// `npm start`: the whole service on this machine. Crashed parts are started again; the embedded servers outlive it.
import { type Config, loadConfig } from '../config/env.js';
import { holdDataFolder } from './dataFolder.js';
import { type Service, type Services, startServices } from './services.js';

/** Before a crashed part is started again, in milliseconds: doubling from the first to the last. */
const RESTART_FIRST_MS = 500;
const RESTART_LAST_MS = 30_000;
/** A part that ran this long has come up well; its next crash counts as the first. */
const STEADY_MS = 60_000;

async function main(): Promise<void> {
  const config = loadConfig();
  const folder = holdDataFolder(config.dataDir);
  let services: Services;
  let stopping = false;
  try {
    const started = await startServices({ config, say: (text) => console.log(text) });
    services = started;
    const { scriptedModel } = started;
    const isStopping = (): boolean => stopping;
    if (scriptedModel) void keep(() => scriptedModel.start(), isStopping, scriptedModel.first);
    // The worker first: agent files of the folder name tools that it offers.
    const came = await Promise.allSettled([
      keep(() => started.startWorker(), isStopping),
      keep(() => started.startApi(), isStopping),
    ]);
    const failed = came.find((part) => part.status === 'rejected');
    if (failed) {
      stopping = true;
      await services.stop();
      throw failed.reason;
    }
  } catch (err) {
    folder.release();
    throw err;
  }
  console.log(banner(config, services));

  const stop = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    console.log('\nstopping: calls in flight may finish …');
    await services.stop();
    folder.release();
    console.log('stopped. PostgreSQL and Temporal go on; `npm run stop` stops them.');
    process.exit(0);
  };
  process.on('SIGINT', () => void stop());
  process.on('SIGTERM', () => void stop());
}

/** Keeps a part running until we stop. Resolves when it is up for the first time. */
function keep(start: () => Promise<Service>, isStopping: () => boolean, first?: Service): Promise<void> {
  let delay = RESTART_FIRST_MS;
  const once = async (running?: Service): Promise<void> => {
    const from = performance.now();
    const service = running ?? (await start());
    void service.ended.then(({ code, signal }) => {
      if (isStopping()) return;
      delay = performance.now() - from > STEADY_MS ? RESTART_FIRST_MS : Math.min(RESTART_LAST_MS, delay * 2);
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
  return once(first);
}

function banner(config: Config, services: Services): string {
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
