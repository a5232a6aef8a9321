// The tool `shell` as a run uses it: what the model is shown, and what a second attempt finds.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { shellDefinition, shellTool } from '../../tools/builtIn/shell.js';
import { workspaceEdit } from '../../tools/builtIn/workspaceEdit.js';
import { workspaceRead } from '../../tools/builtIn/workspaceRead.js';
import { workspaceWrite } from '../../tools/builtIn/workspaceWrite.js';
import { noSandboxes, type Sandboxes } from '../../sandbox/sandboxes.js';
import type { ToolContext } from '../../tools/execution.js';
import { aCall, aFolder, removeFolders, run, shown } from './context.js';
import { describeShell, theHost } from './sandboxed.js';

const sandboxes: Sandboxes = {
  ...noSandboxes('not used'),
  shell: () => Promise.resolve({ holds: true, host: theHost() }),
};
const shell = shellTool(shellDefinition, sandboxes);

let workspaceDir: string;
beforeEach(() => {
  workspaceDir = path.join(aFolder(), 'run_1');
});
afterEach(removeFolders);

const calling = async (command: string, ctx: Partial<ToolContext> = {}) =>
  shown(await run(shell, { command }, aCall({ workspaceDir, ...ctx })));

describeShell('the model', () => {
  test('is shown what the command wrote', async () => {
    expect(await calling('echo hello')).toEqual({ text: 'hello', isError: false });
    expect(await calling('true')).toEqual({ text: '(no output)', isError: false });
  });

  test('is shown errors and exit code of a command that failed', async () => {
    expect(await calling('echo a; echo b >&2; exit 4')).toEqual({
      text: 'a\n[stderr]\nb\n[exit code 4]',
      isError: true,
    });
    expect((await calling('kill -9 $$')).text).toBe('[exit code 137: ended by signal 9]');
  });

  test('is told which limit ended a command, with what it wrote until then', async () => {
    const limits = { ...shellDefinition, shell: { ...shellDefinition.shell!, timeoutMs: 300 } };
    const settled = await run(shellTool(limits, sandboxes), { command: 'echo a; sleep 60' }, aCall({ workspaceDir }));
    expect(shown(settled)).toEqual({
      text: 'a\n[The command was ended after 0.3 s, its time limit. Do the work in smaller parts.]',
      isError: true,
    });
  });

  test('reads what is no text with the bad bytes replaced', async () => {
    expect((await calling("printf 'a\\377\\000b'")).text).toBe('a��b');
  });
});

describeShell('files', () => {
  test('are shared with the workspace tools, both ways', async () => {
    const ctx = () => aCall({ workspaceDir });
    await run(workspaceWrite, { path: 'notes/a.md', content: 'one' }, ctx());
    await calling('echo two >> notes/a.md; mkdir -p made; echo three > made/b.md; rm -f notes/none');
    await run(workspaceEdit, { path: 'made/b.md', oldText: 'three', newText: 'four' }, ctx());
    expect(shown(await run(workspaceRead, { path: 'notes/a.md' }, ctx())).text).toBe('onetwo\n');
    expect((await calling('cat made/b.md; rm notes/a.md; rmdir notes && echo removed')).text).toBe('four\nremoved');
  });

  test("that the user's own tools made are the shell's as well", async () => {
    await calling('mkdir d');
    writeFileSync(path.join(workspaceDir, 'd', 'made.txt'), 'by a tool', { mode: 0o600 });
    expect((await calling('cat d/made.txt; rm d/made.txt && ls d')).text).toBe('by a tool');
  });

  test('of Longhaul stay out of reach', async () => {
    expect((await calling('ls -A; ls -A .longhaul-edits .longhaul-shell')).text).toBe(
      '.longhaul-edits\n.longhaul-shell\n.longhaul-edits:\n\n.longhaul-shell:',
    );
    expect((await calling('echo x > .longhaul-shell/1-a')).isError).toBe(true);
  });
});

describeShell('a second attempt', () => {
  const asked = (ctx: ToolContext) => shell.reconcile?.(ctx.idempotencyKey, ctx);

  test('of a call that was never begun learns that it has not happened', async () => {
    expect(await asked(aCall({ workspaceDir }))).toEqual({ happened: false });
  });

  test('of a call that ended learns its result', async () => {
    const ctx = aCall({ workspaceDir });
    await run(shell, { command: 'echo once >> a; cat a' }, ctx);
    expect(await asked(ctx)).toEqual({ happened: true, result: { content: 'once', isError: false } });
  });

  test('of a call whose worker died in it learns nothing, so that it is not run again', async () => {
    const ctx = aCall({ workspaceDir });
    const died = new AbortController();
    const running = run(shell, { command: 'touch begun; sleep 60' }, { ...ctx, signal: died.signal });
    const records = path.join(workspaceDir, '.longhaul-shell');
    while (!readdirOf(workspaceDir).includes('begun')) await new Promise((resolve) => setTimeout(resolve, 20));
    // What stands there at this moment is what a worker leaves that is killed.
    const [name = ''] = readdirSync(records);
    const left = readFileSync(path.join(records, name));
    died.abort();
    await running;
    writeFileSync(path.join(records, name), left);
    expect(await asked(ctx)).toBe('unknown');
  });

  test('finds no records of earlier steps: their results are in the database', async () => {
    await calling('true', { step: 1 });
    await calling('true', { step: 1 });
    expect(readdirSync(path.join(workspaceDir, '.longhaul-shell'))).toHaveLength(2);
    await calling('true', { step: 2 });
    expect(readdirSync(path.join(workspaceDir, '.longhaul-shell'))).toEqual([expect.stringMatching(/^2-/)]);
  });
});

test('a worker whose sandbox does not hold executes nothing and says why', async () => {
  const without = shellTool(shellDefinition, noSandboxes('it leaks'));
  const settled = shown(await run(without, { command: 'touch ran' }, aCall({ workspaceDir })));
  expect(settled).toEqual({ text: 'There is no shell on this worker: it leaks. Nothing was executed.', isError: true });
  expect(readdirOf(workspaceDir)).toEqual([]);
});

function readdirOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
