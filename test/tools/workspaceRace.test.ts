// The workspace tools against a command that changes folders into links while they look.
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ToolExecutor } from '../../tools/execution.js';
import { workspaceEdit } from '../../tools/builtIn/workspaceEdit.js';
import { workspaceList } from '../../tools/builtIn/workspaceList.js';
import { workspaceRead } from '../../tools/builtIn/workspaceRead.js';
import { workspaceWrite } from '../../tools/builtIn/workspaceWrite.js';
import { aCall, removeFolders, run, shown } from './context.js';
import { aWorkspace, describeShell, inSandbox } from './sandboxed.js';

afterEach(removeFolders);

const ROUNDS = 150;
/** Exchanges two names at once. */
const RENAMEAT2 = process.arch === 'arm64' ? 276 : 316;

describeShell('while a command changes a folder into a link and back', () => {
  test('nothing outside of the workspace is read, listed, written or edited', async () => {
    const { base, workspace } = aWorkspace();
    const secret = path.join(base, 'secret');
    mkdirSync(secret);
    writeFileSync(path.join(secret, 'a.txt'), 'secret text');
    const stop = new AbortController();
    const swapping = inSandbox(
      `mkdir d; echo mine > d/a.txt; ln -s '${secret}' link; touch ready
       perl -e 'my ($d, $l) = ("d", "link"); syscall(${RENAMEAT2}, -100, $d, -100, $l, 2) while 1'`,
      workspace,
      {},
      { signal: stop.signal },
    );
    while (!existsSync(path.join(workspace, 'ready'))) await new Promise((resolve) => setTimeout(resolve, 20));

    const texts: string[] = [];
    const use = async (tool: ToolExecutor, args: object): Promise<void> => {
      texts.push(shown(await run(tool, args, aCall({ workspaceDir: workspace }))).text);
    };
    for (let i = 0; i < ROUNDS; i++) {
      await use(workspaceRead, { path: 'd/a.txt' });
      await use(workspaceList, { path: 'd' });
      await use(workspaceWrite, { path: `d/written-${i}.txt`, content: 'x' });
      await use(workspaceEdit, { path: 'd/a.txt', oldText: 'secret', newText: 'changed' });
    }
    stop.abort();
    expect((await swapping).ended).toBe('stopped'); // it swapped until the end
    expect(texts.filter((text) => /secret text|Edited/.test(text))).toEqual([]);
    expect(texts.some((text) => text === 'mine\n')).toBe(true); // the folder itself was met as well
    expect(texts.some((text) => text.includes('is not a path inside'))).toBe(true); // and so was the link
    expect(readdirSync(secret)).toEqual(['a.txt']);
    expect(readFileSync(path.join(secret, 'a.txt'), 'utf8')).toBe('secret text');
  });
});
