// A process with the two loops that need no Temporal: one that keeps nothing, and one that writes one row per operation.
// `node memoryLoops.js plain|insert <model url> [database url]`
import { Pool } from 'pg';
import type { BenchRun } from '../benchRun.js';
import { type Conversation, assistantMessage, modelAt, opening, toolResult } from './step.js';

const [kind, modelUrl, databaseUrl] = process.argv.slice(2) as [string, string, string | undefined];
const callModel = modelAt(modelUrl);
const pool = new Pool({ connectionString: databaseUrl, max: 30 });

/** Called after every operation with what it brought. */
type Keep = (run: BenchRun, seq: number, message: Conversation[number]) => Promise<void>;

const keepNothing: Keep = () => Promise.resolve();

const insertRow: Keep = async ({ key }, seq, message) => {
  await pool.query({
    name: 'insert',
    text: 'INSERT INTO operations (run, seq, role, body) VALUES ($1, $2, $3, $4)',
    values: [key, seq, message.role, JSON.stringify(message)],
  });
};

async function loop(run: BenchRun, keep: Keep): Promise<void> {
  const conversation = opening(run);
  await keep(run, 0, conversation[0] as Conversation[number]);
  for (;;) {
    const reply = await callModel(conversation);
    conversation.push(assistantMessage(reply));
    await keep(run, conversation.length, conversation.at(-1) as Conversation[number]);
    const result = toolResult(reply);
    if (!result) return;
    conversation.push(result);
    await keep(run, conversation.length, result);
  }
}

async function main(): Promise<void> {
  if (kind === 'insert') {
    await pool.query('CREATE TABLE operations (run text, seq int, role text, body text, PRIMARY KEY (run, seq))');
  }
  const keep = kind === 'insert' ? insertRow : keepNothing;
  process.on('message', (run: BenchRun) => {
    loop(run, keep).then(
      () => process.send?.({ ended: run.key }),
      (err: unknown) => process.send?.({ ended: run.key, error: String(err) }),
    );
  });
  process.on('disconnect', () => process.exit(0));
  process.send?.({ ready: true });
}

main().catch((err: unknown) => {
  console.error(err);
  process.exit(1);
});
