// The scripted model as a process: `node dist/embedded/scriptedModel/main.js [--journal FILE] [script.yaml …]`.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { loadConfig } from '../../config/env.js';
import { parseScript } from './script.js';
import { startScriptedModel } from './server.js';

async function main(): Promise<void> {
  const config = loadConfig();
  const { positionals, values } = parseArgs({ allowPositionals: true, options: { journal: { type: 'string' } } });
  const scripts = positionals.map((file) => parseScript(readFileSync(file, 'utf8'), file));
  const model = await startScriptedModel({
    port: config.scriptedModelPort,
    scriptsDir: config.scriptsDir,
    scripts,
    journalFile: values.journal,
  });
  // One line that whoever started this waits for.
  console.log(JSON.stringify({ ready: true, url: model.url, scripts: model.scripts }));
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void model.close());
}

main().catch((err: unknown) => {
  console.error(err instanceof Error ? err.message : err);
  process.exit(1);
});
