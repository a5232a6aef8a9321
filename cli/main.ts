// The `longhaul` command: words in, exit code out. A client of the REST API and of nothing else.
// Exit codes: 0 completed or done, 1 error or wrong usage, 2 stopped, 3 failed, 4 cancelled.
import { Command, CommanderError } from 'commander';
import { type Attach, type GlobalOptions, makeCli } from './cli.js';
import { addAgents } from './commands/agents.js';
import { addApprovals } from './commands/approvals.js';
import { addApprove } from './commands/approve.js';
import { addAudit } from './commands/audit.js';
import { addBudget } from './commands/budget.js';
import { addCancel } from './commands/cancel.js';
import { addEvents } from './commands/events.js';
import { addHousekeeping } from './commands/housekeeping.js';
import { addKeys } from './commands/keys.js';
import { addList } from './commands/list.js';
import { addMcp } from './commands/mcp.js';
import { addPolicy } from './commands/policy.js';
import { addMessage } from './commands/message.js';
import { addOpen } from './commands/open.js';
import { addPause } from './commands/pause.js';
import { addRate } from './commands/rate.js';
import { addReject } from './commands/reject.js';
import { addRespond } from './commands/respond.js';
import { addResume } from './commands/resume.js';
import { addReturn } from './commands/return.js';
import { addRun } from './commands/run.js';
import { addSettle } from './commands/settle.js';
import { addShow } from './commands/show.js';
import { addSteps } from './commands/steps.js';
import { addTools } from './commands/tools.js';
import { addUndo } from './commands/undo.js';
import { addWatch } from './commands/watch.js';
import { renderError } from './errors.js';
import { type Io, processIo } from './io.js';

const EXAMPLES = `
Examples:
  $ longhaul agents put refund-desk.yaml
  $ longhaul run refund-desk "Work through the letters of today."
  $ longhaul approvals
  $ longhaul approve apr_5Kd… --message "checked with the customer"
  $ longhaul list --status waiting --json | jq -r .id

The service is found by --url or LONGHAUL_URL (default http://127.0.0.1:8080), the key by --key or
LONGHAUL_API_KEY, else the admin key of a data folder on this machine (LONGHAUL_DATA_DIR, default .longhaul).
Exit codes: 0 completed, 1 error, 2 stopped, 3 failed, 4 cancelled.`;

/** Runs one command line, given without `node` and the script's name. */
export async function runCli(words: readonly string[], io: Io): Promise<number> {
  let exitCode = 0;
  const program = new Command('longhaul');
  const attach: Attach = (command, code) => {
    command.action(async () => {
      const cli = makeCli(io, program.opts<GlobalOptions>());
      exitCode = (await code(cli, command.args, command.opts())) ?? 0;
    });
  };
  program
    .description('Start, watch, approve and read durable agent runs.')
    .option('--url <url>', 'address of the service')
    .option('--key <key>', 'API key')
    .option('--json', 'JSON on standard output, one document per line, and nothing else')
    .option('--no-color', 'no colours (also NO_COLOR=1)')
    .addHelpText('after', EXAMPLES)
    .showHelpAfterError('(longhaul COMMAND --help shows how it is used)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.out(text),
      writeErr: (text) => io.err(text),
      getOutHelpWidth: () => io.columns(),
    });
  for (const add of COMMANDS) add(program, attach);
  try {
    await program.parseAsync(words, { from: 'user' });
    return exitCode;
  } catch (err) {
    if (err instanceof CommanderError) return err.exitCode; // it has said everything already
    io.err(renderError(err, program.opts<GlobalOptions>().json === true));
    return 1;
  }
}

const COMMANDS: readonly ((program: Command, attach: Attach) => void)[] = [
  addRun,
  addWatch,
  addList,
  addShow,
  addSteps,
  addEvents,
  addOpen,
  addApprovals,
  addApprove,
  addReject,
  addRespond,
  addSettle,
  addReturn,
  addMessage,
  addPause,
  addResume,
  addCancel,
  addUndo,
  addAgents,
  addTools,
  addMcp,
  addPolicy,
  addBudget,
  addRate,
  addKeys,
  addAudit,
  addHousekeeping,
];

/** For bin/longhaul.mjs. */
export async function main(): Promise<void> {
  // A reader that stops early (`longhaul events … | head`) is no error.
  process.stdout.on('error', (err: NodeJS.ErrnoException) => process.exit(err.code === 'EPIPE' ? 0 : 1));
  process.exitCode = await runCli(process.argv.slice(2), processIo());
}
